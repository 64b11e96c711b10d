// What --quiet leaves out, and what it must not.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { rejection } from '../rejection.ts';
import { temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

describe('--quiet', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  /** What the command says beside its results, and how it ends. */
  async function said(...args: readonly string[]): Promise<{ readonly lines: string; readonly error: string }> {
    const lines: string[] = [];
    const say = (text: string) => void lines.push(text);
    const ended = runCommandLine([...args, '--backend', 'cpu', '--quiet'], '0.0.0', {
      ...silentTerminal(),
      note: say,
      warn: say,
    });
    return { error: (await rejection(ended)).message, lines: lines.join('\n') };
  }

  it('says why runs of a sweep fail, and nothing of their progress', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    const sweep = ['sweep', '--dataset', 'fashion-mnist', '--data', data, '--out', join(folder, 'sweep')];
    const { lines, error } = await said(...sweep, '--seeds', '0,1', '--epochs', '1');
    expect(error).to.contain('2 of 2 runs failed');
    expect(lines.match(/failed: The files of fashion-mnist/g)).to.have.length(2);
    expect(lines).not.to.contain('runs, 0 done before');
  });
});
