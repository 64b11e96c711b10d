// Starts other implementations in processes of their own, and asks them to compute.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';

export type Answer = Readonly<Record<string, unknown>>;
export type Arrays = Readonly<Record<string, Float32Array>>;

/** Another implementation in a process of its own, which answers one request at a time: see pytorch_rival.py. */
export interface Rival {
  /** What the process said of itself when it started. */
  readonly versions: Answer;
  /** @throws Error with the rival's own message where it cannot do what is asked */
  ask(request: { readonly do: string } & Answer): Promise<Answer>;
  /** Asks for something that answers with tensors. */
  askForTensors(request: { readonly do: string } & Answer): Promise<Arrays>;
  /** A file for the rival to read. */
  store(name: string, tensors: Readonly<Record<string, StoredTensor>>): string;
  stop(): void;
}

/** @param folder takes the files that are exchanged; the caller removes it */
async function start(
  command: string,
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Rival> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<Answer> => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    if (done) throw new Error(`${command} ended; its message is above.`);
    const answer = JSON.parse(value) as Answer;
    if (typeof answer.error === 'string') throw new Error(answer.error);
    return answer;
  };
  const versions = await nextLine();
  const ask: Rival['ask'] = (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return nextLine();
  };
  return {
    versions,
    ask,
    askForTensors: async (request) => {
      const out = join(folder, 'answer.safetensors');
      await ask({ ...request, out });
      const { tensors } = decodeSafetensors(readFileSync(out));
      return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data as Float32Array]));
    },
    store: (name, tensors) => {
      const path = join(folder, `${name}.safetensors`);
      writeFileSync(path, encodeSafetensors(tensors));
      return path;
    },
    stop: () => child.kill(),
  };
}

/** PyTorch and, where it is installed there, SparseProp. */
export const startPython = (python: string, folder: string, threads: number): Promise<Rival> =>
  start(
    python,
    [fileURLToPath(new URL('../../../scripts/bench/pytorch_rival.py', import.meta.url)), String(threads)],
    folder,
    {
      OMP_NUM_THREADS: String(threads),
    },
  );

/** tfjs-backend-wasm from the node_modules of `packages`. */
export const startTfjsWasm = (packages: string, folder: string): Promise<Rival> =>
  start(process.execPath, [fileURLToPath(new URL('./tfjs-wasm-rival.js', import.meta.url)), packages], folder, {});
