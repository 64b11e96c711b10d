// How main thread and workers share jobs, in the first megabyte of the heap.
//
// A job is a chain of calls (kernel, arguments) and a number of tasks. Each task runs the whole chain for its number.
// A thread first claims a task by counting `remaining` down and only then reads the chain: a chain stands as long as one
// of its tasks is unfinished, so a thread that wakes late never sees half a job.

/** Addresses, in bytes. */
export const CONTROL = 1024;
export const ERROR_TEXT = 4096;
export const ERROR_TEXT_BYTES = 4096;
/** Always zero: 16 vectors. The assembly knows this address too. */
export const ZEROS = 8192;
export const ARGUMENTS = 65536;
export const ARGUMENTS_END = 1 << 20;

/** Indices of 32-bit control words; those that several threads write lie on cache lines of their own. */
export const GENERATION = 0;
export const REMAINING = 16;
export const DONE = 32;
export const SLEEPERS = 48;
export const TASKS = 64;
export const CHAIN_LENGTH = 65;
export const STOP = 66;
export const ERROR = 80;
export const ERROR_LENGTH = 81;
/** Task number + 1 that each thread is running, or 0. */
export const RUNNING = 96;
export const MAX_THREADS = 64;
export const CONTROL_WORDS = RUNNING + MAX_THREADS;

export type Kernel = (task: number, argumentsPointer: number) => void;

export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Names of the kernels; a chain holds indices of this list. */
  readonly kernels: readonly string[];
  /** 0 is the main thread. */
  readonly thread: number;
}

/** The kernels of one thread, in the order of the list. */
function instantiate({ module, memory, kernels, thread }: ThreadData): Kernel[] {
  const { exports } = new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: () => {
        throw new Error('A kernel aborted.');
      },
    },
  });
  (exports.thread as WebAssembly.Global).value = thread;
  return kernels.map((name) => exports[name] as Kernel);
}

/** A thread's part in jobs: a function that claims and runs tasks until none is left to claim. */
export function worker(data: ThreadData): () => void {
  const { memory, thread } = data;
  const kernels = instantiate(data);
  // Views of the first megabyte stay valid when the memory grows.
  const control = new Int32Array(memory.buffer, CONTROL, CONTROL_WORDS);
  const chain = new Uint32Array(memory.buffer, ARGUMENTS, (ARGUMENTS_END - ARGUMENTS) / 4);
  return () => {
    while (true) {
      const remaining = Atomics.sub(control, REMAINING, 1);
      if (remaining <= 0) return;
      const tasks = control[TASKS];
      const task = tasks - remaining;
      Atomics.store(control, RUNNING + thread, task + 1);
      try {
        const length = 2 * control[CHAIN_LENGTH];
        for (let i = 0; i < length; i += 2) kernels[chain[i]](task, chain[i + 1]);
      } catch (error) {
        report(memory, control, error);
      }
      Atomics.store(control, RUNNING + thread, 0);
      if (Atomics.add(control, DONE, 1) === tasks - 1) Atomics.notify(control, DONE);
    }
  };
}

/** Keeps the first error's message for the main thread. */
function report(memory: WebAssembly.Memory, control: Int32Array, error: unknown): void {
  if (Atomics.compareExchange(control, ERROR, 0, 1) !== 0) return;
  const text = new TextEncoder().encode(error instanceof Error ? error.message : String(error));
  const length = Math.min(text.length, ERROR_TEXT_BYTES);
  new Uint8Array(memory.buffer, ERROR_TEXT, length).set(text.subarray(0, length));
  Atomics.store(control, ERROR_LENGTH, length);
}
