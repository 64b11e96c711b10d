// Makes the n-th file operation of a process fail. Preloaded with --import; EQUIPOISE_FAULT says what happens (see `Fault`).
//
// An operation is a call of node:fs/promises that changes something below the folder of the fault, on the main thread.
import { appendFileSync, promises, writeFileSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve, sep } from 'node:path';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

export const FAULT_KINDS = ['kill', 'torn', 'ENOSPC', 'EIO', 'short'] as const;

export interface Fault {
  /**
   * `kill`: the process is killed before the operation; `torn`: it is killed after half of a write; an error: it is thrown,
   * by a write after half of its bytes; `short`: a write takes half of the bytes and says so; `count`: nothing.
   */
  readonly kind: (typeof FAULT_KINDS)[number] | 'count';
  /** Which of the operations that are telling for the kind, from 0. */
  readonly at: number;
  readonly below: string;
  /** `child` is a process of a sweep that makes one run, `parent` any other. */
  readonly who: 'parent' | 'child';
  /** A file that is made when it happens, so that it happens once. */
  readonly fired: string;
  /** A file that the operations are written to, a line each. */
  readonly log?: string;
}

/** Calls that write the bytes of an open file, of which half can be written. */
const WRITES = ['FileHandle.write', 'FileHandle.writeFile', 'FileHandle.appendFile'];

/** True for the operations at which a kind does anything that another kind does not: elsewhere `torn` is `kill`, and `short` nothing. */
export function isTelling(kind: Fault['kind'], operation: string): boolean {
  if (kind === 'torn') return WRITES.includes(operation);
  // Only this one tells its caller how much it wrote.
  if (kind === 'short') return operation === 'FileHandle.write';
  return true;
}

type Call = (...args: never[]) => Promise<unknown>;

const text = process.env.EQUIPOISE_FAULT;
const role = process.send === undefined ? 'parent' : 'child';
if (text !== undefined && isMainThread) {
  const fault = JSON.parse(text) as Fault;
  if (fault.who === role) await install(fault);
}

async function install(fault: Fault): Promise<void> {
  const below = resolve(fault.below) + sep;
  let done = 0;
  const paths = new WeakMap<object, string>();

  const errorOf = (operation: string, path: string): Error =>
    Object.assign(new Error(`${fault.kind}: injected, ${operation} '${path}'`), {
      code: fault.kind,
      errno: -1,
      syscall: operation,
      path,
    });
  const die = (): never => {
    process.kill(process.pid, 'SIGKILL');
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  /** True if the fault happens at this operation, which is then counted. */
  const strikes = (operation: string, path: unknown): boolean => {
    if (typeof path !== 'string' || !(resolve(path) + sep).startsWith(below)) return false;
    if (fault.log !== undefined) appendFileSync(fault.log, `${process.pid} ${operation} ${resolve(path)}\n`);
    if (!isTelling(fault.kind, operation) || done++ !== fault.at || fault.kind === 'count') return false;
    try {
      writeFileSync(fault.fired, `${operation} ${path}\n`, { flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  };

  const calls = promises as unknown as Record<string, Call>;
  /** Operations that change what their first argument, or their second one, names. */
  const changing: Readonly<Record<string, 0 | 1>> = {
    writeFile: 0,
    appendFile: 0,
    mkdir: 0,
    mkdtemp: 0,
    rm: 0,
    unlink: 0,
    rmdir: 0,
    truncate: 0,
    rename: 1,
    link: 1,
    copyFile: 1,
    cp: 1,
  };
  for (const [name, position] of Object.entries(changing)) {
    const original = calls[name];
    calls[name] = async (...args) => {
      if (strikes(name, args[position])) {
        if (fault.kind === 'kill') die();
        throw errorOf(name, String(args[position]));
      }
      return original(...args);
    };
  }

  const open = promises.open;
  calls.open = async (...args) => {
    const [path, flags] = args as unknown as [unknown, string | number | undefined];
    const changes = typeof flags === 'string' && /[wax]/.test(flags);
    if (changes && strikes('open', path)) {
      if (fault.kind === 'kill') die();
      throw errorOf('open', String(path));
    }
    const handle = await (open as unknown as Call)(...args);
    paths.set(handle as object, String(path));
    return handle;
  };

  const sample = await open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(sample) as Record<string, Call>;
  await sample.close();
  type Handle = { readonly fd: number };
  const half = (data: unknown): Buffer => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data as Uint8Array);
    return bytes.subarray(0, Math.floor(bytes.length / 2));
  };
  for (const name of ['write', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate']) {
    const original = prototype[name];
    prototype[name] = async function (this: Handle, ...args: never[]) {
      const path = paths.get(this);
      if (!strikes(`FileHandle.${name}`, path)) return original.apply(this, args);
      if (fault.kind === 'kill') die();
      if (name === 'write') {
        const [data, offset, length, position] = args as unknown as [Uint8Array, number, number, number];
        const some = half(data.subarray(offset, offset + length));
        writeSync(this.fd, some, 0, some.length, position);
        if (fault.kind === 'short') return { bytesWritten: some.length, buffer: data };
      } else if (name === 'writeFile' || name === 'appendFile') {
        writeSync(this.fd, half(args[0]));
      }
      if (fault.kind === 'torn') die();
      throw errorOf(name, String(path));
    };
  }
  syncBuiltinESMExports();
}
