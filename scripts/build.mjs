// Compiles the WebAssembly kernels, the TypeScript sources and tests, and the gradients of tfjs-core, into dist/.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const tool = (name, path) => join(dirname(require.resolve(`${name}/package.json`)), path);

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
run(tool('typescript', 'bin/tsc'));

// tfjs-core registers no gradient in Node, and its own list of them has imports without extensions, which Node refuses.
await build({
  entryPoints: [require.resolve('@tensorflow/tfjs-core/dist/register_all_gradients.js')],
  outfile: join(root, 'dist/src/ops/tfjs-gradients.js'),
  bundle: true,
  format: 'esm',
  minify: true,
  logLevel: 'error',
});
