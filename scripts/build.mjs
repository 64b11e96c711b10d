// Compiles the WebAssembly kernels, the TypeScript sources and tests, and the gradients of tfjs-core, into dist/; writes the
// records of the kernels' arguments to src/engine/generated/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { build } from 'esbuild';
import { writeKernelRecords } from './kernel-records.mjs';
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

// The engine's kernels, in three builds: plain SIMD; with the fused multiply-add of relaxed SIMD; and that with twice as
// wide register tiles, of which V8 makes 256-bit instructions where it is told to. The records of their arguments are
// written before the TypeScript sources are compiled, which use them.
const assembly = 'src/engine/assembly';
const records = join(root, 'src/engine/generated/records.ts');
const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newestSource = Math.max(
  ...readdirSync(join(root, assembly), { recursive: true }).map((file) => modified(join(root, assembly, file))),
  modified(join(root, 'scripts/kernel-records.mjs')),
);
mkdirSync(join(root, 'dist/src/engine'), { recursive: true });
for (const [name, relaxed, wide] of [
  ['simd', 0, 0],
  ['relaxed', 1, 0],
  ['relaxed-revec', 1, 1],
]) {
  const output = `dist/src/engine/${name}.wasm`;
  if (modified(join(root, output)) > newestSource && modified(records) > newestSource) continue;
  const { error } = await asc.main(
    [
      `${assembly}/index.ts`,
      ...['--baseDir', root, '--outFile', output, '--use', `RELAXED=${relaxed}`, '--use', `WIDE=${wide}`],
      ...['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,relaxed-simd,threads'],
      ...['--importMemory', '--noExportMemory', '--sharedMemory'],
      ...['--initialMemory', '16', '--maximumMemory', '65536', '--memoryBase', '16384'],
    ],
    { stdout: process.stdout, stderr: process.stderr, transforms: [writeKernelRecords(records)] },
  );
  if (error) process.exit(1);
}

run(tool('typescript', 'bin/tsc'));

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

// What help and completion say, so that they need not load the commands.
run(join(root, 'dist/scripts/write-manifest.js'));

writeFileSync(join(root, DIGEST_FILE), digest);
