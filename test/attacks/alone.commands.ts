import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A project that holds the built attacks and what they may need, and no other package. */
function projectWith(packages: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-attacks-'));
  const modules = join(folder, 'node_modules');
  for (const part of ['package.json', 'dist/attacks', 'dist/src/core', 'dist/src/ops']) {
    cpSync(join(root, part), join(modules, 'equipoise', part), { recursive: true });
  }
  for (const name of packages) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  return folder;
}

describe('equipoise/attacks', () => {
  it('runs the example of its page beside tfjs-core and a backend alone', () => {
    const [, example, output] =
      /^```js\n(.*?)^```\n\n```text\n(.*?)^```$/ms.exec(readFileSync(join(root, 'docs/attacks.md'), 'utf8')) ?? [];
    const folder = projectWith(['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', 'pure-rand']);
    try {
      writeFileSync(join(folder, 'example.mjs'), example);
      const printed = execFileSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
      expect(printed).to.equal(output);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('bundles for browsers with core, ops and a generator of random numbers, and no module of Node', async () => {
    const { metafile, outputFiles, warnings } = await build({
      entryPoints: [join(root, 'dist/attacks/index.js')],
      absWorkingDir: root,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      external: ['@tensorflow/tfjs-core'],
      metafile: true,
      write: false,
      minify: true,
      logLevel: 'silent',
    });
    // Such as a module that registers gradients and that package.json does not say is imported for that.
    expect(warnings).to.deep.equal([]);
    const [{ imports }] = Object.values(metafile.outputs);
    expect([...new Set(imports.map(({ path }) => path))]).to.deep.equal(['@tensorflow/tfjs-core']);
    const inputs = Object.keys(metafile.inputs).map((path) => relative(root, join(root, path)));
    const strange = inputs.filter((path) => !/^dist\/(attacks|src\/(core|ops))\/|\/pure-rand\//.test(path));
    expect(strange).to.deep.equal([]);
    expect(outputFiles[0].text).to.not.match(/from ?"node:|require\("/);
  });
});
