// What a release and a citation say of the package, and the commands that workflows run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { root } from './package.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json'));
const workflows = readdirSync(join(root, '.github/workflows')).map((name) => ({
  name,
  text: read(`.github/workflows/${name}`),
}));

describe('a release', () => {
  it('is cited by the version that is packed', () => {
    const { version, license, authors } = parse(read('CITATION.cff'));
    expect({ version, license, author: authors[0].name }).to.deep.equal({
      version: manifest.version,
      license: manifest.license,
      author: manifest.author,
    });
  });

  it('names every address that package.json lacks among what is to be filled in', () => {
    const missing = ['repository', 'homepage', 'bugs'].filter((field) => !(field in manifest));
    for (const field of missing) expect(read('RELEASING.md')).to.include(`\`${field}\``);
  });

  it('is published without a token, by a job that installs and runs nothing of the project', () => {
    const { jobs } = parse(read('.github/workflows/release.yml'));
    expect(jobs.publish.permissions).to.deep.equal({ contents: 'read', 'id-token': 'write' });
    const commands = jobs.publish.steps.flatMap(({ run }: { run?: string }) => run ?? []);
    expect(commands).to.deep.equal(['npm publish ./equipoise-*.tgz --access public']);
    expect(read('.github/workflows/release.yml')).not.to.match(/secrets\.|TOKEN/);
  });
});

describe('the workflows', () => {
  it('run the suites on the versions of Node that are supported', () => {
    const { jobs } = parse(read('.github/workflows/suites.yml'));
    expect(jobs.suites.strategy.matrix.node).to.deep.equal([20, 22, 24]);
    expect(manifest.engines.node).to.equal('>=20.19');
  });

  for (const { name, text } of workflows) {
    it(`run only scripts that exist: ${name}`, () => {
      const scripts = [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script]) => script);
      expect(scripts.filter((script) => !(script in manifest.scripts))).to.deep.equal([]);
    });
  }
});
