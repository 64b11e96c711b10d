// Help on terminals of several widths, with and without colours.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import { formatEntries, wrap } from '../../src/cli/help/columns.ts';
import { readManifest } from '../../src/cli/help/manifest.ts';
import { commandPage, everyPage, groupsOf, overviewPage, welcomePage } from '../../src/cli/help/pages.ts';
import { plain } from '../../src/cli/terminal/style.ts';
import { equipoise } from './equipoise.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const commands = readManifest();
const train = commands.find(({ name }) => name === 'train');
if (train === undefined) throw new Error('There is no command train.');

describe('help', () => {
  it('shows the common flags of a command, and counts the others by group', () => {
    const page = commandPage(train, { columns: 80, style: plain, all: false });
    expect(page)
      .to.match(/^ {2}--epsilon NUMBER +radius/m)
      .and.to.match(/^ {2}--epochs INTEGER +passes/m);
    expect(page)
      .to.match(/^ {2}--dataset NAME +data set/m)
      .and.to.match(/^ {2}--out FOLDER +the run's folder/m);
    expect(page).not.to.contain('--agent-gamma');
    expect(page.replaceAll('\n', ' ')).to.match(/--help-all shows more flags: .*Sparsity \(\d+\), AGENT \(\d+\)/);
    expect(page.split('\n').length).to.be.below(60);
  });

  it('shows every flag of every command in its group under --help-all', () => {
    for (const command of commands) {
      const lines = commandPage(command, { columns: 80, style: plain, all: true }).split('\n');
      const groups = groupsOf(command.flags);
      for (const [i, [group, flags]] of groups.entries()) {
        const start = groups.length === 1 ? lines.indexOf('Flags') : lines.indexOf(group);
        const end = i + 1 < groups.length ? lines.indexOf(groups[i + 1][0]) : lines.length;
        expect(start, group).to.be.above(0);
        for (const [name] of flags) {
          expect(lines.slice(start, end).some((line) => line.match(/^ {2}--(\S+)/)?.[1] === name)).to.equal(true, name);
        }
      }
    }
    const headings = groupsOf(train.flags).map(([group]) => group);
    expect(headings).to.include.members(['Common', 'Sparsity', 'AGENT', 'Objective', 'Attack', 'Data', 'Run']);
  });

  for (const columns of [80, 40]) {
    it(`fits into ${columns} columns, but for words and examples that are longer`, () => {
      const page = { columns, style: plain };
      for (const text of [everyPage(commands, page), overviewPage(commands, page), welcomePage(page)]) {
        const long = text.split('\n').filter((line) => line.length > columns);
        expect(
          long.filter((line) => !/^ *(equipoise |--)?\S+$|^ {2}equipoise |^equipoise |^ {2}--/.test(line)),
        ).to.deep.equal([]);
      }
    });
  }

  it('wraps words without losing any', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 });
    fc.assert(
      fc.property(words, fc.integer({ min: 12, max: 60 }), (list, columns) => {
        const lines = wrap(list.join(' '), columns);
        expect(lines.join(' ')).to.equal(list.join(' '));
        for (const line of lines) expect(line.length).to.be.at.most(columns);
        const entries = formatEntries([{ term: '--flag', meaning: list.join(' ') }], columns);
        expect(entries.split(/\s+/).filter(Boolean)).to.deep.equal(['--flag', ...list]);
      }),
    );
  });

  it('is the same for help COMMAND and COMMAND --help', () => {
    expect(equipoise(['help', 'train'])).to.deep.equal(equipoise(['train', '--help']));
    expect(equipoise(['help', 'train', '--all'])).to.deep.equal(equipoise(['train', '--help-all']));
    expect(equipoise(['help'])).to.deep.equal(equipoise(['-h']));
    const { code, stderr } = equipoise(['help', 'trian']);
    expect([code, stderr]).to.deep.equal([2, 'There is no command trian. Did you mean train?\n']);
  });

  it('has no colours where output is piped or NO_COLOR is set, and has them where FORCE_COLOR asks', () => {
    const shown = (environment: Readonly<Record<string, string>>, args: readonly string[]) => {
      const { NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
      return spawnSync(process.execPath, [main, ...args], { env: { ...env, ...environment }, encoding: 'utf8' });
    };
    const colour = '\u001b[';
    for (const args of [['--help'], ['train', '--help'], ['nonsense'], []]) {
      const [piped, without, forced] = [
        shown({}, args),
        shown({ NO_COLOR: '1' }, args),
        shown({ FORCE_COLOR: '1' }, args),
      ];
      for (const { stdout, stderr } of [piped, without]) expect(stdout + stderr).not.to.contain(colour);
      expect(forced.stdout + forced.stderr).to.contain(colour);
    }
  });
});
