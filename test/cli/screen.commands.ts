// What a command shows on a terminal: run under a pseudo-terminal, its bytes read by a terminal emulator.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import headless from '@xterm/headless';
import { expect } from 'chai';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { barLine, rateOf } from '../../src/cli/terminal/progress-bar.ts';
import { temporaryFolder } from './folder.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--backend', 'cpu'];

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** What a command writes to a terminal of so many columns. */
function written(args: readonly string[], columns: number, environment: Readonly<Record<string, string>> = {}): string {
  const command = ['stty', 'cols', String(columns), 'rows', '200', ';', quoted(process.execPath), quoted(main)];
  // Node takes a terminal of a CI for one without colours, and NO_COLOR turns them off.
  const { CI: _ci, NO_COLOR: _noColor, FORCE_COLOR: _forced, ...inherited } = process.env;
  const { stdout, status } = spawnSync('script', ['-qec', [...command, ...args.map(quoted)].join(' '), '/dev/null'], {
    encoding: 'utf8',
    env: { ...inherited, TERM: 'xterm-256color', ...environment },
  });
  expect(status, stdout).to.equal(0);
  return stdout;
}

const shown = (args: readonly string[], columns: number): Promise<readonly string[]> =>
  linesOf(written(args, columns), columns);

/** The lines on a terminal after all of a text was written to it, wrapped ones joined. */
async function linesOf(text: string, columns: number): Promise<readonly string[]> {
  const terminal = new headless.Terminal({ cols: columns, rows: 200, scrollback: 1000, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
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
        const args = ['sweep', ...tiny, '--epochs', '1', '--seeds', '0..2', '--no-evaluate', '--jobs', '2'];
        const text = written([...args, '--out', join(folder, `sweep${columns}`)], columns);
        const lines = await linesOf(text, columns);
        expect(
          lines.filter((text) => /^\[[123]\/3\] .*: done in .* s(, validation: .* robust)?$/.test(text)),
          lines.join('\n'),
        ).to.have.length(3);
        expect(lines.join('\n')).not.to.match(/[█░]/);
        // Meanwhile: a bar for all runs above one for each of two.
        expect(text).to.match(/0\/3 runs [^\n]*\n[^\n]*\[1\/3\] [^\n]*\n[^\n]*\[2\/3\] /);
      });

      it('shows an evaluation as a matrix that fits', async () => {
        const radii = ['--attacks', 'fgsm', '--epsilon', '0.05,0.1,0.2', '--test-limit', '16', '--backend', 'cpu'];
        const out = join(folder, `matrix${columns}.json`);
        const lines = await shown(['evaluate', join(folder, `run${columns}`), ...radii, '--out', out], columns);
        const header = lines.find((line) => line.startsWith('attack ')) ?? '';
        expect(header.length, lines.join('\n')).to.be.within(1, columns);
        expect(header).to.match(/linf 0\.05 +linf 0\.1/);
        const row = lines.find((line) => line.startsWith('union ')) ?? '';
        expect(row.match(/ %/g)?.length, lines.join('\n')).to.equal(header.match(/linf/g)?.length);
      });

      it('shows help in colour that fits, and without colour where NO_COLOR is set', async () => {
        const text = written(['train', '--help-all'], columns);
        expect(text).to.contain('\u001b[1mSparsity').and.to.contain('\u001b[36m--sparsity');
        const plain = written(['train', '--help-all'], columns, { NO_COLOR: '1' });
        expect(plain).not.to.contain('\u001b[');
        const lines = await linesOf(text, columns);
        expect(
          plain
            .split(/\r?\n/)
            .map((line) => line.trimEnd())
            .filter(Boolean),
        ).to.deep.equal(lines.filter(Boolean));
        for (const line of lines.filter((text) => !/^ *(equipoise |--)/.test(text))) {
          expect(line.length, line).to.be.at.most(columns);
        }
      });
    });
  }
});

describe('a progress bar', () => {
  const parts = fc.record({
    phase: fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.string({ unit: fc.constantFrom('犬', '猫', 'a') }),
    ),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    rate: fc.constantFrom('', '12 steps/s'),
    left: fc.constantFrom('', '3 min 20 s left'),
    figures: fc.constantFrom('', 'loss 1.234 | validation 93.1 % clean, 40 % robust'),
  });

  it('is one line that is shorter than the screen is wide', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 2, max: 200 }), (progress, columns) => {
        expect(stringWidth(barLine(progress, columns))).to.be.below(columns);
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
