// Runs the suites for every backend on TensorFlow, linked as a user links it: a Python environment with TensorFlow's
// wheel, and a copy of this package with @tensorflow/tfjs-node beside it, both in .tensorflow/, which git ignores.
//
//   npm run test:tensorflow [-- --python PYTHON]
//
// The first time it installs some 300 MB; later times it uses what is there. It needs Python 3 with venv and a C++
// compiler, and fails where one is missing.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { argv, execPath, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { installCommand } from '../src/core/shell.ts';
import { copyPackage, runSuites, scratchFolder, step } from './backend-package.ts';

const SCRIPT = 'test:tensorflow';
const TENSORFLOW = 'tensorflow-cpu==2.21.0';

const { values: options } = parseArgs({
  args: argv.slice(2),
  options: { python: { type: 'string', default: 'python3' } },
});

const scratch = scratchFolder('.tensorflow');
const environment = join(scratch, 'venv');
const python = join(environment, 'bin', 'python');
if (!existsSync(python)) {
  const remedy = 'It needs Python 3.10 to 3.13 with its module venv (Debian: apt-get install python3-venv).';
  step(SCRIPT, 'python -m venv', options.python, ['-m', 'venv', environment], scratch, remedy);
}
const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', TENSORFLOW];
const needsPyPi = 'It needs PyPI, and a Python for which that wheel is made.';
step(SCRIPT, `pip install ${TENSORFLOW}`, python, pip, scratch, needsPyPi);

const linked = copyPackage(SCRIPT, scratch, installCommand('@tensorflow/tfjs-node@4.22.0'));
const link = [linked.equipoise, 'link-tensorflow', '--python', python];
step(SCRIPT, 'equipoise link-tensorflow', execPath, link, linked.folder, 'What it needs is said above.');

exit(
  runSuites(linked, 'tensorflow', {
    more: ['tensorflow/*.tensorflow.js'],
    environment: { EQUIPOISE_TEST_PYTHON: python },
    jobs: 2,
  }),
);
