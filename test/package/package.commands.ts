// Packs the project and uses the tarball in an empty project: its contents, its examples, its types and its three entries.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { makeProject, type Packed, root } from './package.ts';

const TFJS = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers'];

/** The first block of code in a page of the docs. */
function exampleIn(page: string): string {
  const example = /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(root, 'docs', page), 'utf8'));
  if (example === null) throw new Error(`${page} has no example`);
  return example[1];
}

describe('the package', () => {
  let folder = '';
  let packed: Packed;
  before(() => {
    ({ folder, packed } = makeProject(TFJS));
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (source: string) => {
    writeFileSync(join(folder, 'robust.mjs'), source);
    return execFileSync(process.execPath, ['robust.mjs'], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  };

  it('holds what runs and nothing else', () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).to.include.members([
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'docs/alarms.md',
      'package.json',
      'dist/attacks/index.js',
      'dist/attacks/index.d.ts',
      'dist/src/index.js',
      'dist/src/index.d.ts',
      'dist/src/cli/main.js',
      'dist/src/engine/index.js',
      'dist/src/engine/runtime/worker.js',
      'dist/src/engine/simd.wasm',
      'dist/src/engine/relaxed.wasm',
      'dist/src/engine/relaxed-revec.wasm',
      'dist/src/engine/runtime/revectorize-trial.js',
      'dist/src/ops/tfjs-gradients.js',
      'zoo/vgg16-99.json',
      'data/mnist10k/train-images-idx3-ubyte.gz',
      'data/mnist10k/t10k-labels-idx1-ubyte.gz',
    ]);
    const strange = paths.filter(
      (path) => !/^(dist\/(attacks|src)\/|data\/mnist10k\/|zoo\/|docs\/|[A-Z]+(\.md)?$|package\.json$)/.test(path),
    );
    expect(strange).to.deep.equal([]);
    expect(paths.filter((path) => /test|golden|\.tsbuildinfo/.test(path) && !path.startsWith('docs/'))).to.deep.equal(
      [],
    );
  });

  it('is at most 3 MB to download beside the networks of the zoo', () => {
    // Weights do not get smaller by compression.
    const networks = packed.files.filter(({ path }) => path.endsWith('.safetensors'));
    const bytes = networks.reduce((total, { size }) => total + size, 0);
    expect(bytes).to.be.above(0);
    expect(packed.size - bytes).to.be.below(3e6);
  });

  it("runs the library page's example in an empty project", () => {
    const output = run(exampleIn('library.md'));
    const figures = /^clean accuracy (\S+), robust accuracy (\S+) of 1000 images\n$/.exec(output);
    expect(figures, output).not.to.equal(null);
    const [clean, robust] = figures?.slice(1).map(Number) ?? [];
    expect(clean).to.be.within(0.7, 1);
    expect(robust).to.be.below(0.2);
  });

  /** What the compiler says of sources in an empty project, of these and of our declarations alone. */
  const complaints = (sources: Readonly<Record<string, string>>): readonly string[] => {
    for (const [name, text] of Object.entries(sources)) writeFileSync(join(folder, name), text);
    const options = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: [],
    };
    const files = Object.keys(sources);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: folder, encoding: 'utf8' });
    // TensorFlow.js's own declarations do not stand this.
    const ours = (line: string) =>
      line.startsWith('node_modules/equipoise/') || files.some((name) => line.startsWith(name));
    return stdout.split('\n').filter(ours);
  };

  it("type-checks the library page's example against its own declarations, without those of Node", () => {
    expect(complaints({ 'robust.ts': exampleIn('library.md') })).to.deep.equal([]);
  });

  it('refuses to compile misspelt options and names, each of them and nothing else', () => {
    const source = readFileSync(join(root, 'test/package/misspelt.ts'), 'utf8')
      .replace('../../attacks/index.ts', 'equipoise/attacks')
      .replace('../../src/engine/index.ts', 'equipoise/engine')
      .replace('../../src/index.ts', 'equipoise');
    const expected = [...source.matchAll(/^ *\/\/ @ts-expect-error .*$/gm)].length;
    expect(expected).to.be.above(40);
    // Without the comments every line below one is an error.
    const bare = source.replaceAll('@ts-expect-error', 'misspelt:');
    const marked = bare.split('\n').flatMap((line, i) => (line.includes('// misspelt:') ? [i + 2] : []));
    const found = complaints({ 'misspelt.ts': source, 'bare.ts': bare });
    expect(found.filter((line) => !line.startsWith('bare.ts'))).to.deep.equal([]);
    const lines = found.flatMap((line) => Number(/^bare\.ts\((\d+),/.exec(line)?.[1] ?? []));
    expect([...new Set(lines)].sort((a, b) => a - b)).to.deep.equal(marked);
  });

  it('gives the attacks alone, beside TensorFlow.js and a backend of its own', () => {
    const output = run(`
      import '@tensorflow/tfjs-backend-cpu';
      import * as tf from '@tensorflow/tfjs-core';
      import { fgsm, success } from 'equipoise/attacks';
      tf.env().set('PROD', true);
      await tf.setBackend('cpu');
      const weights = tf.tensor2d([1, -1, -1, 1], [2, 2]);
      const model = (images) => tf.matMul(tf.reshape(images, [-1, 2]), weights);
      const images = tf.tensor4d([0.6, 0.4], [1, 1, 2, 1]);
      const labels = tf.tensor1d([0], 'int32');
      const adversarial = await fgsm({ epsilon: 0.25 }).perturb(model, images, labels);
      console.log((await success(model, adversarial, labels)).join(), tf.getBackend());
    `);
    expect(output).to.equal('true cpu\n');
  });

  it('gives the engine alone', () => {
    const output = run(`
      import * as tf from '@tensorflow/tfjs-core';
      import { registerEngine } from 'equipoise/engine';
      await registerEngine({ threads: 2 });
      await tf.setBackend('equipoise');
      console.log((await tf.add([1, 2], [3, 4]).array()).join());
    `);
    expect(output).to.equal('4,6\n');
  });
});
