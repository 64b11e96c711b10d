// Runs the suite that checks exports with the software that they are for: PyTorch and ONNX Runtime.
//
//   npm run test:python [-- --python PYTHON]
//
// It uses PYTHON if that has every module which is needed. Else it installs them into an environment of its own in .python/,
// which git ignores; later times it uses what is there.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { scratchFolder, step } from './backend-package.ts';

const SCRIPT = 'test:python';
const MODULES = ['numpy', 'onnxruntime', 'safetensors', 'torch'];
/** Builds of PyTorch without CUDA, a tenth of the size. pip goes on without them where this cannot be reached. */
const CPU_BUILDS = 'https://download.pytorch.org/whl/cpu';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options } = parseArgs({
  args: argv.slice(2),
  options: { python: { type: 'string', default: 'python3' } },
});

const hasModules = (python: string): boolean =>
  spawnSync(python, ['-c', `import ${MODULES.join(', ')}`], { stdio: 'ignore' }).status === 0;

/** Makes the environment, or completes the one there. */
function installed(): string {
  const scratch = scratchFolder('.python');
  const environment = join(scratch, 'venv');
  const python = join(environment, 'bin', 'python');
  if (!existsSync(python)) {
    const remedy = 'It needs Python 3.10 or later with its module venv (Debian: apt-get install python3-venv).';
    step(SCRIPT, 'python -m venv', options.python, ['-m', 'venv', environment], scratch, remedy);
  }
  if (!hasModules(python)) {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
    const args = [...pip, '--extra-index-url', CPU_BUILDS, ...MODULES];
    step(SCRIPT, `pip install ${MODULES.join(' ')}`, python, args, scratch, 'It needs PyPI.');
  }
  return python;
}

const python = hasModules(options.python) ? options.python : installed();
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const { status } = spawnSync(
  execPath,
  [mocha, '--no-config', '--timeout', '300000', join(root, 'dist/test/python/*.python.js')],
  { cwd: root, stdio: 'inherit', env: { ...env, EQUIPOISE_TEST_PYTHON: python } },
);
exit(status ?? 1);
