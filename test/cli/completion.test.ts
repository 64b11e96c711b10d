// Completion in the shells themselves: bash is asked what it would list; zsh, where it is installed, reads its script.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bashScript } from '../../src/cli/completion/bash.ts';
import { zshScript } from '../../src/cli/completion/zsh.ts';
import { readManifest } from '../../src/cli/help/manifest.ts';
import { outlineCommands } from '../../src/cli/help/outline.ts';
import { datasetNames } from '../../src/data/sets/datasets.ts';
import { models } from '../../src/models/models.ts';
import { SETTINGS } from '../../src/training/config/config.ts';
import { equipoise } from './equipoise.ts';

const has = (shell: string) => spawnSync(shell, ['-c', 'exit']).status === 0;

describe('the outlines of commands that the build writes', () => {
  it('are those of the commands', async () => {
    expect(readManifest()).to.deep.equal(JSON.parse(JSON.stringify(await outlineCommands())));
  });
});

describe('completion of bash', () => {
  let folder = '';
  before(function () {
    if (!has('bash')) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'equipoise-completion-'));
    mkdirSync(join(folder, 'runs'));
    writeFileSync(join(folder, 'rest.yaml'), '');
    mkdirSync(join(folder, 'my runs'));
    writeFileSync(join(folder, 'script'), bashScript(readManifest()));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  /** What bash lists for each command line whose last word is being written; one process answers all. */
  const listed = (lines: readonly (readonly string[])[]): string[][] => {
    const asked = lines.map((words) => `ask ${['equipoise', ...words].map((word) => `'${word}'`).join(' ')}`);
    const ask = 'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _equipoise; echo "<$' + '{COMPREPLY[*]/%/|}>"; }';
    const { stdout, stderr, status } = spawnSync('bash', ['-c', ['source ./script', ask, ...asked].join('\n')], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([status, stderr]).to.deep.equal([0, '']);
    return [...stdout.matchAll(/^<(.*)>$/gm)].map(([, words]) => words.split('|').flatMap((word) => word.trim() || []));
  };

  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['commands', ['tr'], ['train']],
    ['commands after a flag of all commands', ['--json', 'doc'], ['doctor']],
    ['flags', ['train', '--agent-g'], ['--agent-gamma']],
    ['flags after others and their values', ['train', '--lr', '0.1', '--agent-g'], ['--agent-gamma']],
    ['all choices of a setting', ['train', '--norm', ''], SETTINGS.norm.schema.options],
    ['choices after an equals sign', ['train', '--optimizer', '=', 'a'], ['agent', 'alpha-svrg']],
    ['all choices after an equals sign', ['train', '--norm', '='], SETTINGS.norm.schema.options],
    ['further choices of a list', ['sweep', '--optimizer', 'sgd,ag'], ['sgd,agent']],
    ['names of data sets', ['evaluate', '--dataset', ''], datasetNames],
    ['names of networks', ['train', '--model', ''], Object.keys(models)],
    ['attacks', ['evaluate', 'runs', '--attacks', 'fgsm,pgd-2'], ['fgsm,pgd-20-ce']],
    ['actions', ['data', 'f'], ['fetch']],
    ['what an action is done to', ['data', 'fetch', 'cifar1'], ['cifar10', 'cifar100']],
    ['paths where a name may be one', ['data', 'add', 'ru'], ['runs']],
    ['commands to show help on', ['help', 'ev'], ['evaluate']],
    ['files and folders', ['evaluate', 'r'], ['rest.yaml', 'runs']],
    ['folders alone for a folder', ['train', '--out', 'r'], ['runs']],
    ['a name with a blank as one', ['evaluate', 'm'], ['my runs']],
    ['nothing for a number', ['train', '--lr', ''], []],
    ['nothing after the last place', ['doctor', 'runs', 'r'], []],
  ];
  it('lists what can follow', () => {
    const answers = listed(cases.map(([, words]) => words));
    for (const [i, [title, , expected]] of cases.entries()) {
      expect(answers[i].sort(), title).to.deep.equal([...expected].sort());
    }
  });

  it('knows every flag of every command', () => {
    const answers = listed(readManifest().map(({ name }) => [name, '--']));
    for (const [i, { name, flags }] of readManifest().entries()) {
      const expected = [...Object.keys(flags), 'json', 'quiet', 'help', 'help-all'].map((flag) => `--${flag}`);
      expect(answers[i].sort(), name).to.deep.equal(expected.sort());
    }
  });
});

describe('completion of zsh', () => {
  it('is a script that zsh reads', function () {
    if (!has('zsh')) this.skip();
    const { status, stderr } = spawnSync('zsh', ['-n'], { input: zshScript(readManifest()), encoding: 'utf8' });
    expect([status, stderr]).to.deep.equal([0, '']);
  });

  it('has a specification for every flag of every command', () => {
    const script = zshScript(readManifest());
    for (const { name, flags } of readManifest()) {
      const [, specs = ''] = new RegExp(`^ {4}${name}\\)\\n([^]*?) ;;$`, 'm').exec(script) ?? [];
      for (const flag of Object.keys(flags)) expect(specs, name).to.match(new RegExp(`'--${flag}=?\\[`));
    }
    expect(script).to.contain(
      '[norm of the perturbations; linf, unless norms says otherwise (linf, l2, l1)]:NAME:(linf l2 l1)',
    );
  });
});

describe('equipoise completion', () => {
  it('prints the script of a shell, and refuses other shells', () => {
    expect(equipoise(['completion', 'bash']).stdout.trimEnd()).to.equal(bashScript(readManifest()));
    const { code, stderr } = equipoise(['completion', 'fish']);
    expect([code, stderr]).to.deep.equal([2, 'completion expects one of bash, zsh, got fish.\n']);
  });
});
