// Commands whose output cannot be written.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { equipoise, MAIN } from './equipoise.ts';
import { temporaryFolder } from './folder.ts';

const FULL = '/dev/full';
const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--backend', 'cpu'];
const train = (out: string): string[] => ['train', ...tiny, '--epochs', '1', '--steps', '1', '--out', out];

describe('output that cannot be written', () => {
  const folder = temporaryFolder();
  before(function () {
    if (!existsSync(FULL)) this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a command with standard output and standard error on a full disk, or readable by this test. */
  function run(args: readonly string[], { stdout, stderr }: { stdout?: number; stderr?: number }) {
    const stdio = ['ignore', stdout ?? 'pipe', stderr ?? 'pipe'] as const;
    const ended = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, stdio: [...stdio], encoding: 'utf8' });
    return { code: ended.status, said: ended.stderr };
  }

  for (const [title, open] of [
    ['a full disk', () => openSync(FULL, 'w')],
    ['a file that is open for reading alone', () => openSync(MAIN, 'r')],
  ] as const) {
    it(`for results, on ${title}, is one message and exit code 1`, () => {
      for (const args of [['--help'], ['--version'], ['runs', '.'], ['data', 'info'], ['train', '--print-config']]) {
        const { code, said } = run(args, { stdout: open() });
        expect(code, said).to.equal(1);
        expect(said).to.match(/^standard output cannot be written: .* \((ENOSPC|EBADF)\)\. .*$/m);
        expect(said).not.to.match(/\n {4}at /);
      }
    });

    it(`for results, on ${title}, does not stop a training run`, () => {
      const out = `results-${title.length}`;
      const { code, said } = run(train(out), { stdout: open() });
      expect(code, said).to.equal(1);
      expect(said.match(/standard output cannot be written/g)).to.have.length(1);
      expect(existsSync(join(folder, out, 'run.lock'))).to.equal(false);
    });

    it(`for progress, on ${title}, changes nothing`, () => {
      const out = `progress-${title.length}`;
      expect(run(train(out), { stderr: open() }).code).to.equal(0);
      expect(existsSync(join(folder, out, 'checkpoints/last.safetensors'))).to.equal(true);
    });
  }

  it('for results, in a pipe that its reader has closed, does not hide that a command failed', () => {
    const args = ['sweep', ...tiny, '--epochs', '1', '--steps', '1', '--out', 'sweep'];
    const [{ name }] = JSON.parse(equipoise([...args, '--print-config'], folder).stdout);
    mkdirSync(join(folder, 'sweep'));
    // A file is in the place of the run's folder.
    writeFileSync(join(folder, 'sweep', name), '');
    const command = `"$0" ${MAIN} ${args.join(' ')} --json`;
    const ended = spawnSync('sh', ['-c', `{ ${command}; echo "exit code $?" >&2; } | :`, process.execPath], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(ended.stderr).to.match(/exit code 1$/m);
  });
});
