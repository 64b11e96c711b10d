// Compiles the WebAssembly kernels, the TypeScript sources and tests, and the gradients of tfjs-core, into dist/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { oneTfjsCore } from './one-tfjs-core.mjs';
import { DIGEST_FILE, sourcesDigest } from './sources-digest.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const tool = (name, path) => join(dirname(require.resolve(`${name}/package.json`)), path);

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const started = Date.now();
if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
// Taken before anything is compiled and recorded at the end: a source that changes meanwhile makes the build a stale one.
const digest = sourcesDigest(root);
rmSync(join(root, DIGEST_FILE), { force: true });
run(tool('typescript', 'bin/tsc'));

// The engine's kernels, in three builds: plain SIMD; with the fused multiply-add of relaxed SIMD; and that with twice as
// wide register tiles, of which V8 makes 256-bit instructions where it is told to.
const assembly = join(root, 'src/engine/assembly');
const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newestSource = Math.max(
  ...readdirSync(assembly, { recursive: true }).map((file) => modified(join(assembly, file))),
);
mkdirSync(join(root, 'dist/src/engine'), { recursive: true });
for (const [name, relaxed, wide] of [
  ['simd', 0, 0],
  ['relaxed', 1, 0],
  ['relaxed-revec', 1, 1],
]) {
  const output = join(root, `dist/src/engine/${name}.wasm`);
  if (modified(output) > newestSource) continue;
  run(
    tool('assemblyscript', 'bin/asc.js'),
    join(assembly, 'index.ts'),
    ...[
      '--outFile',
      output,
      '--use',
      `RELAXED=${relaxed}`,
      '--use',
      `WIDE=${wide}`,
      '-O3',
      '--noAssert',
      '--runtime',
      'stub',
    ],
    ...['--enable', 'simd,relaxed-simd,threads', '--importMemory', '--noExportMemory', '--sharedMemory'],
    ...['--initialMemory', '16', '--maximumMemory', '65536', '--memoryBase', '16384'],
  );
}

// tfjs-core does not register its gradients, and its own list of them has imports without extensions, which Node refuses.
// The bundle uses the tfjs-core of the program, since tensors and ops of two copies do not work together.
await build({
  entryPoints: [require.resolve('@tensorflow/tfjs-core/dist/register_all_gradients.js')],
  outfile: join(root, 'dist/src/ops/tfjs-gradients.js'),
  bundle: true,
  format: 'esm',
  minify: true,
  plugins: [oneTfjsCore],
  logLevel: 'error',
});

// What the compiler did not write again belongs to sources that are gone.
const SLACK_MS = 2000; // of file systems that keep whole seconds
for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (/\.(js|d\.ts)$/.test(entry.name) && modified(path) < started - SLACK_MS) rmSync(path);
}

writeFileSync(join(root, DIGEST_FILE), digest);
