// Runs the suites for every backend on TensorFlow, linked as a user links it: a Python environment with TensorFlow's
// wheel, and a copy of this package with @tensorflow/tfjs-node beside it, both in .tensorflow/, which git ignores.
//
//   npm run test:tensorflow [-- --python PYTHON]
//
// The first time it installs some 300 MB; later times it uses what is there. It needs Python 3 with venv and a C++
// compiler, and fails where one is missing.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TENSORFLOW = 'tensorflow-cpu==2.21.0';
const TFJS_NODE = '@tensorflow/tfjs-node';

/** What runs on every backend: the laws and the golden vectors of each folder, training, and the link itself. */
const SUITES = [
  'core/params',
  'ops/*',
  'models/*',
  'optimizers/*',
  'objectives/*',
  'sparsity/*',
  'checkpoints/*',
  'attacks/!(alone)',
  'evaluation/evaluate',
  'training/laws',
  'training/train',
  'backends/agreement',
];

const { values: options } = parseArgs({
  args: argv.slice(2),
  options: { python: { type: 'string', default: 'python3' } },
});

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = join(root, '.tensorflow');
const environment = join(scratch, 'venv');
const python = join(environment, 'bin', 'python');
const copy = join(scratch, 'package');

/** Runs a step to its end; where it fails, so does the whole. */
function step(what: string, file: string, args: readonly string[], remedy: string, cwd = scratch): void {
  console.log(`-- ${what}`);
  const { status, error } = spawnSync(file, args, {
    cwd,
    stdio: 'inherit',
    env: { ...env, npm_config_loglevel: 'error' },
  });
  if (status === 0) return;
  console.error(`test:tensorflow cannot run: ${what} failed (${error?.message ?? `exit code ${status}`}). ${remedy}`);
  exit(1);
}

mkdirSync(scratch, { recursive: true });
const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', TENSORFLOW];
if (!existsSync(python)) {
  const remedy = 'It needs Python 3.10 to 3.13 with its module venv (Debian: apt-get install python3-venv).';
  step('python -m venv', options.python, ['-m', 'venv', environment], remedy);
}
step(`pip install ${TENSORFLOW}`, python, pip, 'It needs PyPI, and a Python for which that wheel is made.');

mkdirSync(copy, { recursive: true });
for (const name of ['dist', 'test']) rmSync(join(copy, name), { recursive: true, force: true });
for (const name of ['package-lock.json', '.npmrc', 'dist', 'data', 'test']) {
  cpSync(join(root, name), join(copy, name), { recursive: true });
}
// npm does not install what is an optional peer, so in the copy it is a dependency.
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
manifest.dependencies[TFJS_NODE] = manifest.peerDependencies[TFJS_NODE];
delete manifest.peerDependencies[TFJS_NODE];
writeFileSync(join(copy, 'package.json'), JSON.stringify(manifest, null, 2));
step(`npm install with ${TFJS_NODE}`, 'npm', ['install', '--ignore-scripts'], 'It needs the npm registry.', copy);

const equipoise = join(copy, manifest.bin.equipoise);
const needsCompiler = 'What it needs is said above.';
step('equipoise link-tensorflow', execPath, [equipoise, 'link-tensorflow', '--python', python], needsCompiler, copy);

const mocha = join(copy, 'node_modules', 'mocha', 'bin', 'mocha.js');
const { status } = spawnSync(
  execPath,
  [
    mocha,
    '--no-config',
    '--timeout',
    '120000',
    '--reporter',
    'dot',
    ...SUITES.map((suite) => `dist/test/${suite}.test.js`),
    'dist/test/tensorflow/*.tensorflow.js',
  ],
  { cwd: copy, stdio: 'inherit', env: { ...env, EQUIPOISE_TEST_BACKEND: 'tensorflow', EQUIPOISE_TEST_PYTHON: python } },
);
exit(status ?? 1);
