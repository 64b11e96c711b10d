// Finds the TensorFlow that was installed for Python.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env, platform } from 'node:process';
import { InputError } from '../../core/errors.ts';
import { pathWord, shellCommand } from '../../core/shell.ts';
import { runProgram } from '../run-program.ts';
import { libraryFault } from './library.ts';

/** A TensorFlow that was installed for Python: its headers and its libraries. */
export interface Wheel {
  /** The package's own folder, which is named tensorflow. */
  readonly folder: string;
  readonly include: string;
  /** Full paths: of the C interface, and of what it is built on. */
  readonly libraries: readonly string[];
  /** True if it is built to use NVIDIA cards. */
  readonly cuda: boolean;
}

export interface WheelOptions {
  /** The Python that has TensorFlow; default: that of the active environment, else the first on the path. */
  readonly python?: string;
  /** A folder that holds `tensorflow/`, or that folder itself; no Python is asked then. */
  readonly wheelDirectory?: string;
  readonly gpu?: boolean;
}

const LIBRARIES = {
  linux: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  darwin: ['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib'],
} as const;

const FIND = `
import importlib.util, json, sys
sys.path = [path for path in sys.path if path]
spec = importlib.util.find_spec('tensorflow')
places = list(spec.submodule_search_locations or []) if spec else []
print(json.dumps({'python': sys.executable, 'folder': places[0] if places else None}))
`;

/**
 * Finds TensorFlow's headers and libraries.
 *
 * @throws InputError if there is no TensorFlow, or it cannot be linked to, with what to install
 */
export async function findWheel({ python, wheelDirectory, gpu = false }: WheelOptions): Promise<Wheel> {
  const names = LIBRARIES[platform as keyof typeof LIBRARIES];
  if (names === undefined) {
    throw new InputError(
      `TensorFlow for ${platform} comes without the library to link to. Link on Linux or macOS (on Windows, inside WSL 2), or use --backend webgpu or engine.`,
    );
  }
  const folder = wheelDirectory === undefined ? await askPython(python, gpu) : folderBelow(wheelDirectory, gpu);
  const include = join(folder, 'include');
  if (!existsSync(join(include, 'tensorflow', 'c', 'eager', 'c_api.h'))) {
    throw new InputError(
      `The TensorFlow in ${folder} has no headers: ${join(include, 'tensorflow/c/eager/c_api.h')} is missing. Take one from PyPI: ${advice(gpu)}`,
    );
  }
  const libraries = names.map((name) => join(folder, name));
  for (const library of libraries) {
    const fault = libraryFault(library);
    if (fault !== null) {
      throw new InputError(
        `TensorFlow cannot be linked to: ${fault}. Install it again for this machine: ${advice(gpu)}`,
      );
    }
  }
  return { folder, include, libraries, cuda: builtForCuda(folder) };
}

/** How to get a TensorFlow that can be linked to. */
export const advice = (gpu: boolean): string =>
  [
    'python3 -m venv tensorflow-env',
    `tensorflow-env/bin/pip install ${gpu ? "'tensorflow[and-cuda]'" : 'tensorflow-cpu'}`,
    `equipoise link-tensorflow --python tensorflow-env/bin/python${gpu ? ' --gpu' : ''}`,
  ]
    .map((line) => `\n  ${line}`)
    .join('');

function folderBelow(given: string, gpu: boolean): string {
  const below = resolve(given, 'tensorflow');
  const folder = [below, resolve(given)].find((path) => existsSync(join(path, 'include')));
  if (folder === undefined) {
    throw new InputError(
      `--wheel-dir takes a folder with an unpacked TensorFlow; neither ${below} nor ${resolve(given)} has its include folder. Unpack one with: ${shellCommand('python3', '-m', 'pip', 'install', '--no-deps', '--target', pathWord(given), gpu ? 'tensorflow' : 'tensorflow-cpu')}`,
    );
  }
  return folder;
}

async function askPython(given: string | undefined, gpu: boolean): Promise<string> {
  const environment = env.VIRTUAL_ENV ?? env.CONDA_PREFIX;
  const candidates = given
    ? [given]
    : [...(environment ? [join(environment, 'bin', 'python')] : []), 'python3', 'python'];
  const asked: string[] = [];
  for (const candidate of candidates) {
    const ended = await runProgram(candidate, ['-c', FIND]);
    if (ended === null) continue;
    if (ended.code !== 0) {
      asked.push(`${candidate} (it fails: ${ended.stderr.trim().split('\n').at(-1)})`);
      continue;
    }
    const { python, folder } = JSON.parse(ended.stdout) as { python: string; folder: string | null };
    if (folder !== null) return folder;
    asked.push(`${candidate} (${python})`);
  }
  const without =
    asked.length > 0
      ? `There is no TensorFlow in ${asked.join(', nor in ')}.`
      : `There is no Python: ${candidates.join(', ')} cannot be run.`;
  throw new InputError(`${without} Get TensorFlow, and link to it, with:${advice(gpu)}`);
}

function builtForCuda(folder: string): boolean {
  const path = join(folder, 'python', 'platform', 'build_info.py');
  return existsSync(path) && /'is_cuda_build', True/.test(readFileSync(path, 'utf8'));
}
