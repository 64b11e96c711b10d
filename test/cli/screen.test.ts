// What a command shows on a terminal: run under a pseudo-terminal, its bytes read by a terminal emulator.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import headless from '@xterm/headless';
import { expect } from 'chai';
import fc from 'fast-check';
import { barLine, rateOf } from '../../src/cli/terminal/progress-bar.ts';
import { temporaryFolder } from './folder.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--backend', 'cpu'];

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** The lines on a terminal of so many columns after a command has ended, wrapped ones joined. */
async function shown(args: readonly string[], columns: number): Promise<readonly string[]> {
  const command = ['stty', 'cols', String(columns), 'rows', '200', ';', quoted(process.execPath), quoted(main)];
  const { stdout, status } = spawnSync('script', ['-qec', [...command, ...args.map(quoted)].join(' '), '/dev/null'], {
    encoding: 'utf8',
  });
  expect(status, stdout).to.equal(0);
  const terminal = new headless.Terminal({ cols: columns, rows: 200, scrollback: 1000, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(stdout, resolve));
  const lines: string[] = [];
  for (let i = 0; i < terminal.buffer.active.length; i++) {
    const line = terminal.buffer.active.getLine(i);
    const text = line?.translateToString(!terminal.buffer.active.getLine(i + 1)?.isWrapped) ?? '';
    if (line?.isWrapped) lines[lines.length - 1] += text;
    else lines.push(text);
  }
  terminal.dispose();
  return lines.map((line) => line.trimEnd());
}

const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;

describe('a terminal', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  for (const columns of [80, 40]) {
    describe(`of ${columns} columns`, () => {
      before(function () {
        // Of util-linux; there is no pseudo-terminal without it.
        if (!hasScript) this.skip();
      });

      it('shows every line of a training run whole, and no bar at the end', async () => {
        const args = ['--epochs', '3', '--checkpoint-every', '0', '--sparsity', '0.5', '--optimizer', 'agent'];
        // Mask updates at the end of an epoch: the run warns of them in a line that is longer than any screen.
        const updates = ['--batch-size', '16', '--update-interval', '4', '--method', 'rigl'];
        const out = join(folder, `run${columns}`);
        const lines = await shown(['train', ...tiny, ...args, ...updates, '--out', out], columns);
        for (const epoch of [1, 2, 3]) {
          const line = new RegExp(`^epoch ${epoch}/3 \\| loss [\\d.]+ \\| training .* robust \\| .* \\d+ s`);
          expect(
            lines.filter((text) => line.test(text)),
            lines.join('\n'),
          ).to.have.length(1);
        }
        expect(
          lines.filter((text) => /^warning: .*\.$/.test(text)),
          lines.join('\n'),
        ).not.to.have.length(0);
        expect(lines.filter((text) => text.startsWith('mlp ×0.1 on synthetic'))).to.have.length(1);
        expect(lines.join('\n')).not.to.match(/[█░]/);
      });

      it('shows the end of every run of a sweep', async () => {
        const args = ['sweep', ...tiny, '--epochs', '1', '--seeds', '0..2', '--no-evaluate'];
        const lines = await shown([...args, '--out', join(folder, `sweep${columns}`)], columns);
        expect(
          lines.filter((text) => /^\[[123]\/3\] .*: done$/.test(text)),
          lines.join('\n'),
        ).to.have.length(3);
        expect(lines.join('\n')).not.to.match(/[█░]/);
      });
    });
  }
});

describe('a progress bar', () => {
  const parts = fc.record({
    phase: fc.string({ maxLength: 60 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    rate: fc.constantFrom('', '12 steps/s'),
    left: fc.constantFrom('', '3 min 20 s left'),
    figures: fc.constantFrom('', 'loss 1.234 | validation 93.1 % clean, 40 % robust'),
  });

  it('is one line that is shorter than the screen is wide', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 2, max: 200 }), (progress, columns) => {
        expect(barLine(progress, columns).length).to.be.below(columns);
      }),
    );
  });

  it('shows everything where there is room, and the phase and the share where there is little', () => {
    const progress = { phase: 'epoch 2/3', share: 0.5, rate: '12 steps/s', left: '9 s left', figures: 'loss 1.234' };
    expect(barLine(progress, 100)).to.equal(
      `epoch 2/3 ${'█'.repeat(12)}${'░'.repeat(12)} 50 % | 12 steps/s | 9 s left | loss 1.234`,
    );
    expect(barLine(progress, 40)).to.equal('epoch 2/3 50 % | 9 s left | loss 1.234');
    expect(barLine(progress, 20)).to.equal('epoch 2/3 50 %');
  });

  it('gives the time of one where work is slow', () => {
    expect(rateOf('run')(0.0051)).to.equal('3 min 16 s a run');
    expect(rateOf('step')(12)).to.equal('12 steps/s');
    expect(rateOf('image')(1234.5)).to.equal('1235 images/s');
  });
});
