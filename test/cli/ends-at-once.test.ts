// Commands that have nothing to save, and a signal that comes while they work.
import { expect } from 'chai';
import { COMMANDS } from '../../src/cli/commands.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { silentTerminal } from './terminal.ts';

/** A command line of each such command; what it names need not exist. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  runs: ['runs', 'no-such-folder'],
  export: ['export', 'no-such-run', '--to', 'compact'],
  import: ['import', 'no-such-file.safetensors'],
  models: ['models'],
  doctor: ['doctor'],
};

describe('a command that has nothing to save', () => {
  it('is tried here', async () => {
    const found = [];
    for (const { name, load } of COMMANDS) if ((await load()).endsAtOnce) found.push(name);
    expect(found).to.deep.equal(Object.keys(LINES));
  });

  for (const [name, line] of Object.entries(LINES)) {
    it(`ends at a signal, and not after its work: ${name}`, async () => {
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
