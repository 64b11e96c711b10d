// Commands that have nothing to save, and a signal that comes while they work.
import { expect } from 'chai';
import { COMMANDS } from '../../src/cli/commands.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { silentTerminal } from './terminal.ts';

/** Lines of `data info`, and the words of each other such command's first example; what they name need not exist. */
const lines: (readonly string[])[] = [
  ['data', 'info'],
  ['data', 'info', 'mnist10k'],
];
for (const { load } of COMMANDS) {
  const { endsAtOnce, examples } = await load();
  if (endsAtOnce) lines.push(examples[0][0].split(' ').slice(1));
}

describe('a command that has nothing to save', () => {
  it('is tried here', () => {
    expect(lines.map(([name]) => name)).to.include.members(['runs', 'export', 'import', 'models', 'doctor']);
  });

  for (const line of lines) {
    it(`ends at a signal, and not after its work: ${line.join(' ')}`, async () => {
      const stop = new AbortController();
      const printed: string[] = [];
      const ended = runCommandLine(line, '0.0.0', {
        ...silentTerminal(),
        print: (text) => void printed.push(text),
        signal: stop.signal,
      });
      stop.abort('SIGTERM');
      await ended;
      expect(printed).to.deep.equal([]);
    });
  }
});
