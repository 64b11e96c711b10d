// Bundles docs/playground into docs/playground/playground.js: the page then opens as a file, without a server.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const playground = join(root, 'docs/playground');

const missing = ['@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-backend-webgl'].filter((name) => {
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

await build({
  entryPoints: [join(playground, 'main.ts')],
  outfile: join(playground, 'playground.js'),
  bundle: true,
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
  minify: true,
  loader: { '.png': 'dataurl', '.wasm': 'dataurl', '.safetensors': 'binary' },
  plugins: [gradients],
  legalComments: 'none',
  logLevel: 'warning',
});
