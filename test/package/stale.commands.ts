// Packing refuses a build of other sources, also where npm runs no scripts.
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from './package.ts';

const { sourcesDigest } = await import(new URL('../../../scripts/sources-digest.mjs', import.meta.url).href);

/** What decides whether a build is stale. */
const DECISIVE = [
  ...['attacks', 'src', 'tsconfig.json', 'package-lock.json', 'dist/sources.sha256'],
  ...['scripts/build.mjs', 'scripts/kernel-records.mjs', 'scripts/one-tfjs-core.mjs', 'scripts/pack.mjs'],
  'scripts/sources-digest.mjs',
];

describe('a stale build', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'equipoise-stale-'));
    for (const path of DECISIVE) cpSync(join(root, path), join(folder, path), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const changes: readonly { readonly title: string; readonly change: () => void }[] = [
    { title: 'a source was changed', change: () => appendFileSync(join(folder, 'attacks/pgd.ts'), '\n') },
    { title: 'a source was added', change: () => writeFileSync(join(folder, 'src/core/more.ts'), '') },
    { title: 'a source was removed', change: () => rmSync(join(folder, 'src/engine/assembly/shared/tile.ts')) },
    { title: 'a dependency was changed', change: () => appendFileSync(join(folder, 'package-lock.json'), '\n') },
    { title: 'the build was changed', change: () => appendFileSync(join(folder, 'scripts/build.mjs'), '\n') },
    { title: 'the build did not end', change: () => rmSync(join(folder, 'dist/sources.sha256')) },
  ];
  for (const { title, change } of changes) {
    it(`is not packed after ${title}`, () => {
      change();
      const { status, stderr } = spawnSync(process.execPath, [join(folder, 'scripts/pack.mjs'), folder], {
        encoding: 'utf8',
      });
      expect(stderr).to.match(/^Expected a build of the present sources in dist, got .+ Run npm run package\.\n$/);
      expect(status).to.equal(1);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tgz'))).to.deep.equal([]);
    });
  }

  it('is none for lack of what the build wrote among the sources after it had read them', () => {
    const before = sourcesDigest(folder);
    rmSync(join(folder, 'src/engine/generated'), { recursive: true });
    expect(sourcesDigest(folder)).to.equal(before);
  });

  it('is not packed by npm pack, which does not look at sources', () => {
    const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const output = execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const paths = JSON.parse(output)[0].files.map(({ path }: { path: string }) => path);
    expect(paths).to.have.members(['LICENSE', 'README.md', 'package.json', 'dist/src/cli/main.js']);
    expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).private).to.equal(true);
  });
});
