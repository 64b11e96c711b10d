// Finds a C++ compiler and runs it.
import { env, platform } from 'node:process';
import { InputError } from '../../core/errors.ts';
import { type Ended, runProgram } from '../run-program.ts';

export interface Compiler {
  readonly command: string;
  /** The first line of what it says of itself. */
  readonly version: string;
}

/**
 * The C++ compiler: `$CXX`, else the first of c++, g++ and clang++.
 *
 * @throws InputError if there is none, with how to get one
 */
export async function findCompiler(): Promise<Compiler> {
  const candidates = env.CXX ? [env.CXX] : ['c++', 'g++', 'clang++'];
  for (const command of candidates) {
    const ended = await runProgram(command, ['--version']);
    if (ended?.code === 0) return { command, version: ended.stdout.split('\n')[0].trim() };
  }
  const install =
    platform === 'darwin'
      ? 'xcode-select --install'
      : 'apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora, Red Hat) or conda install gxx';
  throw new InputError(
    `There is no C++ compiler: ${candidates.join(', ')} cannot be run${env.CXX ? ' (from CXX)' : ''}. Get one with ${install}.`,
  );
}

export interface Compilation {
  readonly kind: 'program' | 'binding';
  readonly sources: readonly string[] | { readonly text: string };
  readonly include: readonly string[];
  readonly defines?: readonly string[];
  /** Libraries by their full paths, at which they are found again when the program runs. */
  readonly libraries: readonly string[];
  readonly output: string;
}

/** Compiles and links. */
export async function compile({ command }: Compiler, compilation: Compilation): Promise<Ended> {
  const { kind, sources, include, defines = [], libraries, output } = compilation;
  const binding = platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const ended = await runProgram(
    command,
    [
      '-std=c++17',
      '-O2',
      ...(kind === 'binding' ? ['-fPIC', ...binding] : []),
      ...defines.map((define) => `-D${define}`),
      ...include.map((folder) => `-I${folder}`),
      ...('text' in sources ? ['-x', 'c++', '-', '-x', 'none'] : sources),
      ...libraries,
      ...[...new Set(libraries.map((library) => library.slice(0, library.lastIndexOf('/'))))].map(
        (folder) => `-Wl,-rpath,${folder}`,
      ),
      '-o',
      output,
    ],
    { input: 'text' in sources ? sources.text : '', env: { ...env, LC_ALL: 'C' }, timeoutMs: 600_000 },
  );
  return ended ?? { code: null, signal: null, stdout: '', stderr: `${command} cannot be run` };
}

/** The first complaint of a compiler. */
export function complaint({ stderr, signal }: Ended): string {
  const lines = stderr.trim().split('\n');
  return (lines.find((line) => /error|undefined|cannot|not found/i.test(line)) ?? lines.at(-1) ?? `${signal}`).trim();
}
