import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { COMMANDS } from '../../src/cli/commands.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { rejection } from '../rejection.ts';
import { equipoise, startEquipoise } from './equipoise.ts';
import { silentTerminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(fileURLToPath(new URL('../../../package.json', import.meta.url)), 'utf8'));

describe('the command line', () => {
  it('lists every command under --help', () => {
    const { code, stdout, stderr } = equipoise(['--help']);
    expect([code, stderr]).to.deep.equal([0, '']);
    for (const { name, summary } of COMMANDS) expect(stdout).to.match(new RegExp(`^  ${name} +${summary}`, 'm'));
  });

  it('loads for --help neither TensorFlow.js nor anything else that is heavy', () => {
    const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
    const loaded: string[] = [];
    const seen = new Set<string>();
    const follow = (path: string) => {
      if (seen.has(path)) return;
      seen.add(path);
      for (const [, source] of readFileSync(path, 'utf8').matchAll(
        /^(?:import|export) .*?from '(.*?)';$|^import '(.*?)';$/gm,
      )) {
        if (source?.startsWith('.')) follow(fileURLToPath(new URL(source, `file://${path}`)));
        else if (source && !source.startsWith('node:')) loaded.push(source);
      }
    };
    follow(main);
    expect(loaded).to.deep.equal([]);
    expect(seen.size).to.be.below(20);
  });

  it('shows the flags of every command', () => {
    for (const { name } of COMMANDS) {
      const { code, stdout, stderr } = equipoise([name, '--help']);
      expect([code, stderr], name).to.deep.equal([0, '']);
      expect(stdout).to.contain(`equipoise ${name}`).and.to.contain('--json').and.to.contain('--quiet');
    }
  });

  it('prints its version', () => {
    expect(equipoise(['--version'])).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('ends without a complaint when its reader closes the pipe', async () => {
    const child = startEquipoise(['doctor'], '.');
    child.stdout.destroy();
    const [[code], complaint] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
    expect([code, complaint]).to.deep.equal([0, '']);
  });

  const wrongUses: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no command', [], /Try first\n {2}equipoise train .*A command is missing/s],
    ['a flag alone', ['--json'], /Expected a command, got --json alone/],
    ['a switch with a value', ['doctor', '--json=maybe'], /--json is a switch and takes no value, got maybe/],
    ['a flag in the place of a value', ['train', '--out', '--json'], /--out needs a value, got none/],
    ['a flag without a command', ['--jsn'], /equipoise has no flag --jsn. Did you mean --json\?/],
    ['a name that every object has', ['--constructor'], /equipoise has no flag --constructor/],
    ['a command after the end of flags', ['--', 'train'], /Expected a command, got -- alone/],
    ['no before a flag with a value', ['runs', '--no-sort'], /--sort expects a value, got false/],
    ['no before a flag that is given too', ['runs', '--where', 'a', '--no-where'], /--where expects a value/],
    ['an unknown command', ['dcotor'], /There is no command dcotor. Did you mean doctor\?/],
    ['a command that resembles none', ['xyzzy'], /Commands are .*doctor/],
    ['an unknown flag', ['doctor', '--jsn'], /has no flag --jsn. Did you mean --json\?/],
    ['a flag that resembles none', ['doctor', '--frobnicate=1'], /no flag --frobnicate. See equipoise doctor --help/],
    ['an argument too many', ['doctor', '.', 'now'], /does not take now/],
  ];
  const json: readonly (readonly [string, boolean])[] = [
    ['--json', true],
    ['--json=true', true],
    ['--json false', false],
    ['--json=false', false],
    ['--no-json', false],
  ];
  it('takes true and false after a switch, before and after the command', async () => {
    for (const [written, expected] of json) {
      const words = written.split(' ');
      for (const args of [
        [...words, 'help'],
        ['help', ...words],
      ]) {
        const printed: string[] = [];
        await runCommandLine(args, version, { ...silentTerminal(), print: (line) => void printed.push(line) });
        expect(printed.join().startsWith('"'), args.join(' ')).to.equal(expected);
      }
    }
  });

  it('takes a value that begins with a dash and a digit', async () => {
    const args = ['evaluate', 'nowhere', '--std', '-1,1', '--backend', 'cpu'];
    const thrown = await rejection(runCommandLine(args, version, silentTerminal()));
    expect(thrown.message).to.contain('--std takes numbers above 0');
  });

  for (const [title, args, message] of wrongUses) {
    it(`answers ${title} with exit code 2, one message and no stack trace`, () => {
      const { code, stdout, stderr } = equipoise(args);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr)
        .to.match(message)
        .and.not.to.match(/\n {4}at /);
    });
  }
});
