import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import { pathWord, shellCommand, withoutCredentials } from '../../src/core/shell.ts';

describe('a command line for a shell', () => {
  it('leaves ordinary words as they are', () => {
    expect(shellCommand('equipoise', 'train', '--resume', 'runs/a-1_2.5')).to.equal(
      'equipoise train --resume runs/a-1_2.5',
    );
  });

  it('gives a path that begins like an option as one that does not', () => {
    expect(['-rf', 'runs/a', '/a', '~'].map(pathWord)).to.deep.equal(['./-rf', 'runs/a', '/a', '~']);
  });

  it('is shown without the users and passwords of its URLs', () => {
    for (const [given, shown] of [
      ['--queue=redis://user:se%63ret@server:6379/2', '--queue=redis://server:6379/2'],
      ['rediss://:se@cr et@server', 'rediss://server'],
      ['https://example.org/@scope/name', 'https://example.org/@scope/name'],
      ['me@example.org', 'me@example.org'],
    ]) {
      expect(withoutCredentials(given)).to.equal(shown);
    }
  });

  it('gives a program the very words, whatever they are', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0'));
    const echo = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
        const { stdout } = spawnSync('sh', ['-c', shellCommand(process.execPath, '-e', echo, '--', ...words)]);
        expect(JSON.parse(stdout.toString())).to.deep.equal(words);
      }),
      { numRuns: 10 },
    );
  });
});
