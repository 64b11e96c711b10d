// Runs test suites in a copy of the package in which other backends are installed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

/**
 * What runs on every backend: the laws and the golden vectors of each folder, and training. Weighted sums are compared to the
 * bit, and TensorFlow takes numbers too small for full precision as 0.
 */
const SUITES = [
  'core/params',
  'ops/!(weighted-sum)',
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

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A folder of the project for what a suite installs; git ignores those named here. */
export function scratchFolder(name: '.python' | '.tensorflow' | '.webgpu'): string {
  const scratch = join(root, name);
  mkdirSync(scratch, { recursive: true });
  return scratch;
}

/** Runs a step of `npm run SCRIPT` to its end; where it fails, so does the whole. */
export function step(script: string, what: string, file: string, args: readonly string[], cwd: string, remedy: string) {
  console.log(`-- ${what}`);
  const { status, error } = spawnSync(file, args, {
    cwd,
    stdio: 'inherit',
    env: { ...env, npm_config_loglevel: 'error' },
  });
  if (status === 0) return;
  console.error(`${script} cannot run: ${what} failed (${error?.message ?? `exit code ${status}`}). ${remedy}`);
  exit(1);
}

/** A copy of this package, as it was built, with optional peers beside it. */
export interface BackendPackage {
  readonly folder: string;
  /** The program of its command line. */
  readonly equipoise: string;
}

/**
 * Makes the copy in a scratch folder, or brings the one there up to date.
 *
 * @param install the command that adds the peers, as messages give it to users
 */
export function copyPackage(script: string, scratch: string, install: string): BackendPackage {
  const folder = join(scratch, 'package');
  mkdirSync(folder, { recursive: true });
  for (const name of ['dist', 'test']) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of ['package-lock.json', 'package.json', '.npmrc', 'dist', 'data', 'zoo', 'test']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const [npm, ...args] = install.split(' ');
  step(script, install, npm, args, folder, 'It needs the npm registry.');
  return { folder, equipoise: join(folder, manifest.bin.equipoise) };
}

interface SuiteOptions {
  /** Further files of dist/test. */
  readonly more?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  /** Test files that run at a time, each in a process of its own. */
  readonly jobs?: number;
}

/** Runs the suites for every backend on one of them, in a copy; returns the exit code. */
export function runSuites(
  { folder }: BackendPackage,
  backend: string,
  { more = [], environment, timeoutMs = 120_000, jobs = 1 }: SuiteOptions,
): number {
  const mocha = join(folder, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const files = [...SUITES.map((suite) => `${suite}.test.js`), ...more].map((file) => `dist/test/${file}`);
  const parallel = jobs > 1 ? ['--parallel', '--jobs', String(jobs)] : [];
  const { status } = spawnSync(
    execPath,
    [mocha, '--no-config', '--timeout', String(timeoutMs), '--reporter', 'dot', ...parallel, ...files],
    { cwd: folder, stdio: 'inherit', env: { ...env, EQUIPOISE_TEST_BACKEND: backend, ...environment } },
  );
  return status ?? 1;
}
