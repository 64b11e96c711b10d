// Bundles docs/playground into docs/playground/playground.js: the page then opens as a file, without a server.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const playground = join(root, 'docs/playground');

const BACKENDS = ['wasm', 'webgl', 'webgpu'].map((name) => `@tensorflow/tfjs-backend-${name}`);
const missing = BACKENDS.filter((name) => {
  try {
    return !require.resolve(`${name}/package.json`);
  } catch {
    return true;
  }
});
if (missing.length > 0) {
  console.error(`The playground needs ${missing.join(' and ')}. Run npm ci.`);
  process.exit(1);
}

const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', playground], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

/**
 * The sources import the gradients of tfjs-core as the build bundles them, which is in dist. package.json says of built
 * files only that they are imported for what they do.
 */
const gradients = {
  name: 'gradients',
  setup({ onResolve }) {
    onResolve({ filter: /\/gradients\.ts$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
      sideEffects: true,
    }));
    onResolve({ filter: /\/tfjs-gradients\.js$/ }, () => ({
      path: join(root, 'dist/src/ops/tfjs-gradients.js'),
      sideEffects: true,
    }));
  },
};

/**
 * `worker:PATH` is the script of a worker as text: the page makes its worker of that, since a page that is opened as a file
 * may load none.
 */
const workers = {
  name: 'workers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^worker:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice('worker:'.length)),
      namespace: 'worker',
    }));
    onLoad({ filter: /.*/, namespace: 'worker' }, async ({ path }) => {
      const { outputFiles } = await build({ ...options, entryPoints: [path], write: false });
      return { contents: outputFiles[0].text, loader: 'text' };
    });
  },
};

const options = {
  bundle: true,
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
  minify: true,
  loader: { '.png': 'dataurl', '.wasm': 'dataurl', '.safetensors': 'binary' },
  plugins: [gradients, workers],
  legalComments: 'none',
  logLevel: 'warning',
};
await build({
  ...options,
  entryPoints: [join(playground, 'page/main.ts')],
  outfile: join(playground, 'playground.js'),
});
