// The shared memory of the engine, and its allocator.
import { OutOfMemoryError } from '../../core/errors.ts';

/** The first megabyte is the pool's: control words, error text, zeros and argument records (see pool.ts). */
const HEAP_START = 1 << 20;
const HEAP_END = 2 ** 32 - 65536;
const PAGE = 65536;
const GROWTH = 64 << 20;
const ALIGNMENT = 128;
/** Bins of free blocks: four a power of two. */
const BINS = 4 * 33;

const binOf = (size: number): number => {
  const exponent = 31 - Math.clz32(size >>> 0);
  return 4 * exponent + ((size >>> (exponent - 2)) & 3);
};

/** The heap has no block of this size left; thrown before anything was changed. */
export class OutOfMemory extends OutOfMemoryError {
  readonly bytes: number;
  readonly free: number;
  constructor(bytes: number, free: number, message?: string) {
    super(
      message ??
        `The engine's heap (4 GB) has ${Math.floor(free / 2 ** 20)} MB left, in pieces; ${Math.ceil(bytes / 2 ** 20)} MB ` +
          'were asked for. Use a smaller batch, or dispose tensors that are no longer needed.',
    );
    this.bytes = bytes;
    this.free = free;
  }
}

/**
 * Memory that kernels and workers share: one WebAssembly.Memory that grows up to 4 GB, and an allocator of it. Free
 * neighbours are merged at once, so what is freed can be used for anything.
 */
export class Heap {
  readonly memory = new WebAssembly.Memory({ initial: 2 * (HEAP_START / PAGE), maximum: 65536, shared: true });
  /** Called when nothing fits; frees what it can do without (caches) and says whether it freed anything. */
  onFull: () => boolean = () => false;
  #end = HEAP_START;
  #used = 0;
  #peak = 0;
  readonly #sizes = new Map<number, number>();
  /** Free blocks by their first byte, and by the byte after their last. */
  readonly #freeSize = new Map<number, number>();
  readonly #freeEnd = new Map<number, number>();
  readonly #bins: Set<number>[] = Array.from({ length: BINS }, () => new Set());
  #buffer = this.memory.buffer;

  /** Bytes in use by tensors, saved activations, structures and plans. */
  get used(): number {
    return this.#used;
  }

  /** Bytes that are not in use, in pieces. */
  get unused(): number {
    return HEAP_END - HEAP_START - this.#used;
  }

  /** The most bytes in use at once while `work` runs, above those in use before. */
  peakBytes(work: () => void): number {
    const [before, outer] = [this.#used, this.#peak];
    this.#peak = before;
    work();
    const peak = this.#peak;
    this.#peak = Math.max(outer, peak);
    return peak - before;
  }

  /** `bytes` bytes of undefined contents, aligned to 128; returns their address. */
  allocate(bytes: number): number {
    if (!Number.isFinite(bytes) || bytes < 0) throw new Error(`The heap has no block of ${bytes} bytes.`);
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const pointer = this.#take(size);
    this.#sizes.set(pointer, size);
    this.#used += size;
    this.#peak = Math.max(this.#peak, this.#used);
    return pointer;
  }

  free(pointer: number): void {
    const size = this.#sizes.get(pointer);
    if (size === undefined) throw new Error(`Nothing is allocated at ${pointer}.`);
    this.#sizes.delete(pointer);
    this.#used -= size;
    this.#give(pointer, size);
  }

  float32(pointer: number, length: number): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.#view(), pointer, length);
  }

  float64(pointer: number, length: number): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.#view(), pointer, length);
  }

  int32(pointer: number, length: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.#view(), pointer, length);
  }

  uint8(pointer: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#view(), pointer, length);
  }

  #view(): SharedArrayBuffer {
    return this.#buffer as unknown as SharedArrayBuffer;
  }

  #take(size: number): number {
    if (size > HEAP_END - HEAP_START) throw new OutOfMemory(size, this.#freeBytes());
    for (let bin = binOf(size); bin < BINS; bin++) {
      for (const pointer of this.#bins[bin]) {
        const free = this.#freeSize.get(pointer) as number;
        if (free < size) continue;
        this.#forget(pointer, free);
        if (free > size) this.#remember(pointer + size, free - size);
        return pointer;
      }
    }
    if (this.#grow(size) || this.onFull()) return this.#take(size);
    throw new OutOfMemory(size, this.#freeBytes());
  }

  #freeBytes(): number {
    let free = HEAP_END - this.#end;
    for (const bytes of this.#freeSize.values()) free += bytes;
    return free;
  }

  #grow(size: number): boolean {
    const last = this.#freeEnd.get(this.#end);
    const missing = last === undefined ? size : size - (this.#end - last);
    if (this.#end + missing > HEAP_END) return false;
    const bytes = Math.min(Math.max(missing, GROWTH), HEAP_END - this.#end);
    const pages = Math.ceil((this.#end + bytes) / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (pages > 0) {
      try {
        this.memory.grow(pages);
      } catch {
        return false;
      }
      this.#buffer = this.memory.buffer;
    }
    const start = this.#end;
    this.#end += bytes;
    this.#give(start, bytes);
    return true;
  }

  /** Makes a block free, merged with free neighbours. */
  #give(pointer: number, size: number): void {
    const before = this.#freeEnd.get(pointer);
    if (before !== undefined) {
      this.#forget(before, pointer - before);
      size += pointer - before;
      pointer = before;
    }
    const after = this.#freeSize.get(pointer + size);
    if (after !== undefined) {
      this.#forget(pointer + size, after);
      size += after;
    }
    this.#remember(pointer, size);
  }

  #remember(pointer: number, size: number): void {
    this.#freeSize.set(pointer, size);
    this.#freeEnd.set(pointer + size, pointer);
    this.#bins[binOf(size)].add(pointer);
  }

  #forget(pointer: number, size: number): void {
    this.#freeSize.delete(pointer);
    this.#freeEnd.delete(pointer + size);
    this.#bins[binOf(size)].delete(pointer);
  }
}
