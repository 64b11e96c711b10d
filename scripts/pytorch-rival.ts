import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors, type StoredTensor } from '../src/checkpoints/safetensors.ts';

export type MemoryFormat = 'contiguous' | 'channels_last';

/** Dense masked PyTorch in a process of its own, given the weights and images of a safetensors file. */
export interface PyTorchRival {
  readonly version: string;
  /** Logits, the input gradient (`images`) and the dense weight gradients by kernel name, row-major as here. */
  check(): Promise<Readonly<Record<string, Float32Array>>>;
  /** Milliseconds that one run of a command takes: see pytorch_reference.py. */
  time(command: string): Promise<number>;
  stop(): void;
}

const SCRIPT = fileURLToPath(new URL('../../scripts/pytorch_reference.py', import.meta.url));

/** Starts the rival: `python` must have torch and numpy. `folder` takes its files. */
export async function startPyTorch(
  python: string,
  folder: string,
  tensors: Readonly<Record<string, StoredTensor>>,
  layers: readonly string[],
  threads: number,
): Promise<PyTorchRival> {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, encodeSafetensors(tensors));
  const child = spawn(python, [SCRIPT, weights, String(threads)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<Record<string, never>> => {
    child.stdin.write(`${question}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`PyTorch ended while it answered "${question}"; its message is above.`);
    return JSON.parse(value);
  };
  const { torch } = await ask(JSON.stringify(layers));
  return {
    version: torch,
    check: async () => {
      const path = join(folder, 'answers.f32');
      const lengths: Record<string, number> = await ask(`check ${path}`);
      const bytes = readFileSync(path);
      const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const answers: Record<string, Float32Array> = {};
      let offset = 0;
      for (const [name, length] of Object.entries(lengths)) {
        answers[name] = all.slice(offset, offset + length);
        offset += length;
      }
      return answers;
    },
    time: async (command) => (await ask(command)).milliseconds,
    stop: () => child.kill(),
  };
}
