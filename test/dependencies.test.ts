import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));

interface LockedPackage {
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  /** Absent if it is the registry that npm is set to. */
  readonly resolved?: string;
  readonly integrity?: string;
}
const locked: [string, LockedPackage][] = Object.entries(readJson('package-lock.json').packages);

describe('the dependencies', () => {
  it('run no script when a user installs equipoise', () => {
    const scripted = locked.filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev).map(([path]) => path);
    expect(locked).to.have.length.above(50);
    expect(scripted).to.deep.equal([]);
  });

  it('come from the npm registry alone, each with its checksum', () => {
    const elsewhere = locked.filter(
      ([path, { resolved, integrity }]) =>
        path !== '' && (!integrity || (resolved && !resolved.startsWith('https://registry.npmjs.org/'))),
    );
    expect(elsewhere).to.deep.equal([]);
  });

  it('are loaded with the library only if they are light', async () => {
    const { metafile } = await build({
      entryPoints: [join(root, 'dist/src/index.js')],
      outdir: 'out',
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      metafile: true,
      write: false,
    });
    const seen = new Set(['out/index.js']);
    for (const output of seen) {
      for (const { path, kind } of metafile.outputs[output]?.imports ?? []) {
        if (kind === 'import-statement') seen.add(path);
      }
    }
    const packages = [...seen].filter((path) => !path.startsWith('out/') && !path.startsWith('node:'));
    expect(packages).to.have.members([
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-core',
      'csv-stringify/sync',
      'fast-png',
      'pure-rand/generator/xoroshiro128plus',
      'string-width',
      'zod',
    ]);
  });

  it('never include what only tests and optional backends need', () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = readJson('package.json');
    expect(Object.keys(dependencies)).to.not.include.members(['@tensorflow/tfjs-core', '@tensorflow/tfjs-node']);
    const required = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    expect(required).to.deep.equal(['@tensorflow/tfjs-core']);
  });
});
