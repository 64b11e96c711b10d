import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseConfig } from '../../src/training/config/config.ts';
import { equipoise } from './equipoise.ts';
import { temporaryFolder } from './folder.ts';

describe('equipoise doctor', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  it('says on which backend a run goes on, why, and whether it can here', () => {
    mkdirSync(join(folder, 'run'));
    const config = parseConfig({ dataset: 'synthetic', backend: 'tensorflow' });
    writeFileSync(join(folder, 'run', 'config.json'), JSON.stringify(config));
    const { code, stdout, stderr } = equipoise(['doctor', 'run'], folder);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/\nrun takes tensorflow: it was started there, .*; but it is not installed here.*\n$/);
  });

  it('says which backend a file of settings takes', () => {
    writeFileSync(join(folder, 'free.yaml'), 'dataset: synthetic\n');
    writeFileSync(join(folder, 'named.yaml'), 'backend: cpu\n');
    const taken = (file: string) => JSON.parse(equipoise(['doctor', file, '--json'], folder).stdout).run;
    expect(taken('free.yaml')).to.deep.equal({
      path: 'free.yaml',
      name: 'engine',
      why: 'it leaves the choice to auto',
    });
    expect(taken('named.yaml')).to.deep.equal({ path: 'named.yaml', name: 'cpu', why: 'the file names it' });
  });

  it('refuses what is neither', () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'backend: cuda\n');
    mkdirSync(join(folder, 'empty'));
    for (const [path, message] of [
      ['absent', /takes the folder of a run, or a file of settings; there is no absent/],
      ['empty', /empty has no config.json/],
      ['wrong.yaml', /backend \(wrong.yaml\) must be one of .*, got cuda/],
    ] as const) {
      const { code, stderr } = equipoise(['doctor', path], folder);
      expect(code).to.equal(2);
      expect(stderr).to.match(message);
    }
  });
});
