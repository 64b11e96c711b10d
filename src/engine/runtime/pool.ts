// The threads of the engine: hands the tasks of a job to workers and waits for them.
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../core/errors.ts';
import { type Call, type Fields, KERNELS, type KernelName, RECORD_FIELDS } from '../records/records.ts';
import {
  ARGUMENTS,
  ARGUMENTS_END,
  CHAIN_LENGTH,
  CONTROL,
  CONTROL_WORDS,
  DONE,
  ERROR,
  ERROR_LENGTH,
  ERROR_TEXT,
  GENERATION,
  REMAINING,
  RUNNING,
  SLEEPERS,
  STOP,
  TASKS,
  type ThreadData,
  worker,
} from './control.ts';
import type { Heap } from './heap.ts';

/** Loads of the control words before the main thread sleeps until the last task ends. */
const SPIN = 50_000;

export interface PoolOptions {
  readonly heap: Heap;
  readonly module: WebAssembly.Module;
  /** Threads that run kernels, the main one among them. */
  readonly threads: number;
  /** A worker that has run one task for so long is taken for dead. */
  readonly stallMs?: number;
}

/**
 * The threads that run kernels. The main thread takes part; workers sleep between jobs and never keep the process
 * alive. Tasks are claimed one by one, in any order by any thread: kernels must not let that show in their results.
 */
export class Pool {
  readonly threads: number;
  readonly #heap: Heap;
  readonly #control: Int32Array;
  /** Where chains and their argument records are written. */
  readonly #arguments: { readonly words: Int32Array; readonly floats: Float32Array };
  /** Claims and runs tasks on the main thread. */
  readonly #work: () => void;
  readonly #workers: Worker[] = [];
  /** Where the system shows each worker's thread, if it does: its end is seen though no event can come meanwhile. */
  readonly #threadFolders: string[] = [];
  readonly #stallMs: number;
  /** Why no job can be run any more. */
  #broken: string | undefined;

  /** Starts the workers; they are ready when the promise is fulfilled. When one does not start, none is left. */
  static async start(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options);
    try {
      await Promise.all(
        Array.from({ length: options.threads - 1 }, (_, i) => pool.#startWorker(options.module, i + 1)),
      );
    } catch (error) {
      await pool.stopped();
      throw error;
    }
    return pool;
  }

  private constructor({ heap, module, threads, stallMs = 60_000 }: PoolOptions) {
    this.threads = threads;
    this.#heap = heap;
    this.#stallMs = stallMs;
    this.#control = new Int32Array(heap.memory.buffer, CONTROL, CONTROL_WORDS);
    this.#control.fill(0);
    const length = (ARGUMENTS_END - ARGUMENTS) / 4;
    this.#arguments = { words: heap.int32(ARGUMENTS, length), floats: heap.float32(ARGUMENTS, length) };
    this.#work = worker({ module, memory: heap.memory, kernels: KERNELS, thread: 0 });
  }

  /** True if jobs can still be run. */
  get usable(): boolean {
    return this.#broken === undefined;
  }

  get workers(): readonly Worker[] {
    return this.#workers;
  }

  /** Runs one kernel for every task number below `tasks`. */
  run<Name extends KernelName>(tasks: number, kernel: Name, fields: Fields<Name>): void {
    this.runChain(tasks, [{ kernel, fields } as unknown as Call]);
  }

  /**
   * Runs a chain of kernels for every task number below `tasks`: a task runs one kernel after another without waiting
   * for other tasks, so a kernel may read only what its own task wrote, or what earlier jobs did.
   *
   * @throws what a kernel threw, on any thread; an error when a worker died
   */
  runChain(tasks: number, calls: readonly Call[]): void {
    this.#run(tasks, calls, (next, { kernel, fields }) => {
      const { words, floats } = this.#arguments;
      const values = fields as Readonly<Record<string, number>>;
      const { names, floats: places } = RECORD_FIELDS[kernel];
      for (let i = 0; i < names.length; i++) words[next + i] = values[names[i]];
      for (const place of places) floats[next + place] = values[names[place]];
      return next + names.length;
    });
  }

  /** Runs a chain of calls whose fields are listed in the order of their records; `number` tells the number of each. */
  runFields<Field>(
    tasks: number,
    calls: readonly { readonly kernel: KernelName; readonly fields: readonly Field[] }[],
    number: (field: Field) => number,
  ): void {
    this.#run(tasks, calls, (next, { kernel, fields }) => {
      const { words, floats } = this.#arguments;
      for (let i = 0; i < fields.length; i++) words[next + i] = number(fields[i]);
      for (const place of RECORD_FIELDS[kernel].floats) floats[next + place] = number(fields[place]);
      return next + fields.length;
    });
  }

  /** Runs a chain; `write` puts a call's arguments into the words from `next` on and returns where they end. */
  #run<C extends { readonly kernel: KernelName }>(
    tasks: number,
    calls: readonly C[],
    write: (next: number, call: C) => number,
  ): void {
    if (this.#broken !== undefined) throw new Error(this.#broken);
    if (tasks === 0 || calls.length === 0) return;
    const { words } = this.#arguments;
    let next = 2 * calls.length;
    calls.forEach((call, i) => {
      words[2 * i] = KERNEL_INDEX[call.kernel];
      words[2 * i + 1] = ARGUMENTS + 4 * next;
      next = write(next, call);
      if (next > words.length) throw new Error('A job of the engine has too many kernels.');
    });
    const control = this.#control;
    control[CHAIN_LENGTH] = calls.length;
    control[TASKS] = tasks;
    Atomics.store(control, DONE, 0);
    Atomics.store(control, REMAINING, tasks);
    if (tasks > 1 && this.threads > 1) {
      Atomics.add(control, GENERATION, 1);
      if (Atomics.load(control, SLEEPERS) > 0) Atomics.notify(control, GENERATION);
    }
    this.#work();
    this.#awaitTasks(tasks);
    if (Atomics.load(control, ERROR) !== 0) throw this.#takeError();
  }

  /** Ends the workers. */
  stop(): void {
    this.#broken = 'The engine was stopped: call registerEngine(), and wait for it.';
    Atomics.store(this.#control, STOP, 1);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }

  /** Waits until the workers have ended. */
  async stopped(): Promise<void> {
    this.stop();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #startWorker(module: WebAssembly.Module, thread: number): Promise<void> {
    const workerData: ThreadData = { module, memory: this.#heap.memory, kernels: KERNELS, thread };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, execArgv: [] });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.once('message', (folder: string | null) => {
        if (folder !== null) this.#threadFolders.push(folder);
        worker.unref();
        resolve();
      });
      const end = (reason: string) => {
        this.#broken ??= `A worker thread of the engine died (${reason}); register the engine again.`;
        reject(new Error(this.#broken));
      };
      worker.once('error', (error) => end(messageOf(error)));
      worker.once('exit', (code) => end(`exit code ${code}`));
    });
  }

  #awaitTasks(tasks: number): void {
    const control = this.#control;
    for (let i = 0; i < SPIN; i++) if (Atomics.load(control, DONE) === tasks) return;
    let done = Atomics.load(control, DONE);
    const turn = Math.min(1000, this.#stallMs / 2);
    let waited = 0;
    while (done < tasks) {
      Atomics.wait(control, DONE, done, turn);
      const now = Atomics.load(control, DONE);
      // Turns count, not the clock: it goes on while the process is stopped by Ctrl-Z, or its machine asleep.
      waited = now === done ? waited + turn : 0;
      if (waited > this.#stallMs) this.#fail(tasks, `nothing was finished for ${this.#stallMs / 1000} s`);
      else if (!this.#threadFolders.every(existsSync)) this.#fail(tasks, 'its thread has ended');
      done = now;
    }
  }

  #fail(tasks: number, reason: string): never {
    const running = Array.from({ length: this.threads }, (_, i) => [i, this.#control[RUNNING + i]] as const)
      .filter(([, task]) => task !== 0)
      .map(([thread, task]) => `thread ${thread} in task ${task - 1}`);
    this.#broken =
      `A worker thread of the engine died or hangs: ${reason} (${running.join(', ')} of ${tasks}). ` +
      'Register the engine again.';
    throw new Error(this.#broken);
  }

  #takeError(): Error {
    const length = Atomics.load(this.#control, ERROR_LENGTH);
    const text = new TextDecoder().decode(new Uint8Array(this.#heap.memory.buffer, ERROR_TEXT, length).slice());
    Atomics.store(this.#control, ERROR, 0);
    return new Error(`A kernel of the engine failed: ${text}`);
  }
}

const KERNEL_INDEX = Object.fromEntries(KERNELS.map((name, i) => [name, i])) as Record<KernelName, number>;
