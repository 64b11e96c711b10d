// Adds synchronous reads and errors to tfjs-backend-webgpu in Node.
import type { BackendValues, DataId, DataType } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** What this file uses of a WebGPU buffer. */
interface Buffer {
  readonly size: number;
  readonly mapState: 'unmapped' | 'pending' | 'mapped';
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

/** What this file uses of the backend of @tensorflow/tfjs-backend-webgpu 4.22. */
interface WebgpuBackend {
  readonly tensorMap: {
    get(id: DataId): { readonly values?: BackendValues; readonly dtype: DataType; readonly resource?: Buffer };
  };
  readonly bufferManager: {
    acquireBuffer(size: number, usage: number): Buffer;
    releaseBuffer(buffer: Buffer): void;
  };
  readonly commandEncoder: {
    copyBufferToBuffer(from: Buffer, fromOffset: number, to: Buffer, toOffset: number, size: number): void;
  };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  convertAndCacheOnCPU(id: DataId, values: BackendValues): BackendValues;
  readonly device: { onuncapturederror: ((event: { readonly error: Error }) => void) | null };
  read(id: DataId): Promise<BackendValues>;
  readSync(id: DataId): BackendValues;
}

const [COPY_DST, MAP_READ] = [8, 1];

/**
 * The function by which Dawn gets on with what it was asked for. In Node it hands that to `setImmediate`, so it is seen
 * there until `ask` returns its promise; null if it hands over none.
 */
export async function dawnsTurn(ask: () => Promise<unknown>): Promise<(() => void) | null> {
  let turn: (() => void) | null = null;
  const watch = (original: Schedule) => (callback: () => void) => {
    turn = callback;
    return original(callback);
  };
  await withSetImmediate(watch, ask);
  return turn;
}

/**
 * tfjs-backend-webgpu 4.22 reads synchronously through a canvas, which Node has not, and reads on after an error of the
 * GPU, whose results mean nothing. Lets the current backend, which must be `webgpu`, wait for Dawn instead, giving it its
 * turns without the event loop, and throw what Dawn reports.
 *
 * @param turn null if only asynchronous reads are to be had
 */
export function supplyReads(turn: (() => void) | null): void {
  const backend = tf.backend() as unknown as WebgpuBackend;
  const { read, readSync } = backend;
  let fault: string | null = null;
  backend.device.onuncapturederror = ({ error }) => {
    fault ??= error.message;
  };
  const sound = <T>(values: T): T => {
    if (fault !== null) throw new Error(`WebGPU failed, so that its results mean nothing: ${fault}`);
    return values;
  };
  backend.read = async (id) => sound(await read.call(backend, id));
  backend.readSync = (id) => {
    const { values, dtype, resource } = backend.tensorMap.get(id);
    if (values || !resource || turn === null) return sound(readSync.call(backend, id));
    const bytes = readBuffer(backend, resource, turn);
    return sound(backend.convertAndCacheOnCPU(id, tf.util.convertBackendValuesAndArrayBuffer(bytes, dtype)));
  };
}

function readBuffer(backend: WebgpuBackend, buffer: Buffer, turn: () => void): ArrayBuffer {
  const staging = backend.bufferManager.acquireBuffer(buffer.size, COPY_DST | MAP_READ);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  backend.submitQueue();
  // A failure shows in the state.
  staging.mapAsync(MAP_READ).catch(() => {});
  // Dawn asks for the next turn at the end of each; the one that it asked for in mapAsync is still to come, and is enough.
  withSetImmediate(
    () => () => {},
    () => {
      while (staging.mapState === 'pending') turn();
    },
  );
  if (staging.mapState !== 'mapped') throw new Error('The GPU was lost while a result was read from it.');
  const bytes = staging.getMappedRange().slice(0);
  staging.unmap();
  backend.bufferManager.releaseBuffer(staging);
  return bytes;
}

type Schedule = (callback: () => void) => unknown;

/** Runs something with another `setImmediate`, made from the one there is. */
function withSetImmediate<T>(replace: (original: Schedule) => Schedule, run: () => T): T {
  const { setImmediate } = globalThis;
  Object.assign(globalThis, { setImmediate: replace(setImmediate) });
  try {
    return run();
  } finally {
    Object.assign(globalThis, { setImmediate });
  }
}
