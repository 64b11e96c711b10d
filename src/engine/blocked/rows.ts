// Compiles the structure of a sparse kernel into the rows that the convolutions read.
import type { Structure } from '../../core/structure.ts';
import type { Geometry, Layout } from '../layout/layout.ts';
import type { Call } from '../records/records.ts';
import type { Heap } from '../runtime/heap.ts';

/**
 * Compressed sparse rows in the heap, as the kernels read them (assembly/blocked/sparse-convolution.ts). There is a row for each output
 * channel and slice of the input channels, slice by slice.
 */
export interface Rows {
  readonly channels: number;
  readonly slices: number;
  readonly groups: number;
  readonly pointers: number;
  readonly records: number;
  readonly rowTable: number;
  /** u32 a record: of the forward rows, the value's number; of the transposed ones, the number of the forward record. */
  readonly permutation: number;
}

const TILE_BYTES = 128;
/** Bytes that a tile reads again and again for one output channel after another: they should stay in level-1 cache. */
const WINDOW = 28 << 10;
/** Nonzeros of one output channel that are worth a slice of their own, for it reads and writes a tile of the output. */
const SLICE_NONZEROS = 50;

/**
 * How many of `channels` input channels make a slice: all of them, unless a tile's window of them is too large for the
 * cache.
 */
export function sliceSize(
  from: Layout,
  [height, width]: Geometry['kernel'],
  channels: number,
  nonzerosPerRow: number,
): number {
  const bytes = height * Math.min(from.channel, TILE_BYTES + (width - 1) * from.pixel);
  if (channels * bytes <= 1.5 * WINDOW) return channels;
  const least = Math.ceil((SLICE_NONZEROS * channels) / Math.max(1, nonzerosPerRow));
  const slices = Math.ceil(channels / Math.max(Math.floor(WINDOW / bytes), least, 1));
  return Math.ceil(channels / slices);
}

/** What a direction's rows are before they lie in the heap. */
interface Shape {
  readonly channels: number;
  readonly slices: number;
  /** Channels a slice. */
  readonly size: number;
  /** [row][first group, end group, byte offset of the input, 0] */
  readonly table: Int32Array;
}

/** Rows by slice and output channel; groups are rows of the kernel; within them by input channel and column. */
function forwardShape(nonzeros: number, { kernel, inputs, outputs, stride, padding, x, y }: Geometry): Shape {
  const [height] = kernel;
  const size = sliceSize(x, kernel, inputs, nonzeros / outputs);
  const table = new Int32Array(4 * y.height);
  for (let h = 0; h < y.height; h++) {
    const top = h * stride - padding[0];
    const first = Math.min(height, Math.max(0, -top));
    table.set([first, Math.max(first, Math.min(height, x.height - top)), top * x.row, 0], 4 * h);
  }
  return { channels: outputs, slices: Math.ceil(inputs / size), size, table };
}

/**
 * The transposed rows: by input channel (of a plane). Groups are the kernel's rows in the order of (kh mod stride, kh),
 * so that the rows which meet one row of the input follow each other.
 */
function transposedShape(nonzeros: number, { kernel, inputs, outputs, stride, padding, x, y }: Geometry): Shape {
  const [height] = kernel;
  const groupStart = Array.from({ length: stride + 1 }, (_, residue) => {
    let start = 0;
    for (let r = 0; r < residue; r++) start += Math.ceil(Math.max(0, height - r) / stride);
    return start;
  });
  const size = sliceSize(y, kernel, outputs, nonzeros / inputs);
  const table = new Int32Array(4 * x.height);
  for (let h = 0; h < x.height; h++) {
    const residue = (h + padding[0]) % stride;
    const base = Math.floor((h + padding[0]) / stride);
    const count = groupStart[residue + 1] - groupStart[residue];
    const first = Math.min(count, Math.max(0, base - y.height + 1));
    const end = Math.max(first, Math.min(count, base + 1));
    table.set([groupStart[residue] + first, groupStart[residue] + end, base * y.row, 0], 4 * h);
  }
  return { channels: stride * inputs, slices: Math.ceil(outputs / size), size, table };
}

/** Memory for the rows of `nonzeros` records; `base` is what to free. */
function allocateRows(
  heap: Heap,
  nonzeros: number,
  groups: number,
  { channels, slices, table }: Shape,
): Rows & { readonly base: number } {
  const pointerWords = slices * channels * (groups + 1);
  const base = heap.allocate(4 * (3 * nonzeros + pointerWords + table.length));
  const permutation = base + 8 * nonzeros;
  const pointers = permutation + 4 * nonzeros;
  const rowTable = pointers + 4 * pointerWords;
  heap.int32(rowTable, table.length).set(table);
  return { base, channels, slices, groups, pointers, records: base, rowTable, permutation };
}

/** Identities of the tensors whose values the records hold. */
export type WeightKey = readonly (object | null)[];

export const sameKey = (a: WeightKey | undefined, b: WeightKey): boolean =>
  a?.length === b.length && b.every((part, i) => part === a[i]);

/** Runs a chain of kernels on all threads (`Pool`). */
export type RunChain = (tasks: number, calls: readonly Call[]) => void;

export type Direction = 'forward' | 'transposed';

/** A structure as the kernels read it for one geometry: rows by output channel and, when asked for, by input channel. */
export class Compiled {
  readonly nonzeros: number;
  /** What the weights in the forward and in the transposed records were made of. */
  forwardKey: WeightKey | undefined;
  transposedKey: WeightKey | undefined;
  readonly #heap: Heap;
  readonly #run: RunChain;
  /** Weak, for the cache must not keep alive what its entries are freed with. */
  readonly #structure: WeakRef<Structure>;
  readonly #geometry: Geometry;
  readonly #rows: Partial<Record<Direction, Rows & { readonly base: number }>> = {};
  #rowStarts: Int32Array | undefined;

  constructor(heap: Heap, run: RunChain, structure: Structure, geometry: Geometry) {
    this.#heap = heap;
    this.#run = run;
    this.#structure = new WeakRef(structure);
    this.#geometry = geometry;
    this.nonzeros = structure.positions.length;
  }

  get forward(): Rows {
    return this.#get('forward');
  }

  get transposed(): Rows {
    return this.#get('transposed');
  }

  /** Records before each of the forward rows, for splitting them into ranges of equal work. */
  get rowStarts(): Int32Array {
    if (this.#rowStarts === undefined) {
      const { pointers, slices, channels, groups } = this.forward;
      const rows = slices * channels;
      const words = this.#heap.int32(pointers, rows * (groups + 1));
      this.#rowStarts = new Int32Array(rows + 1);
      for (let row = 0; row < rows; row++) this.#rowStarts[row] = words[row * (groups + 1)] >> 3;
      this.#rowStarts[rows] = this.nonzeros;
    }
    return this.#rowStarts;
  }

  hasForward(key: WeightKey): boolean {
    return sameKey(this.forwardKey, key);
  }

  hasTransposed(key: WeightKey): boolean {
    return sameKey(this.transposedKey, key);
  }

  /** Makes one direction's rows of each, where they are not made yet, on all threads. */
  static make(compiled: readonly Compiled[], direction: Direction): void {
    const missing = compiled.filter((entry, i) => !entry.#rows[direction] && compiled.indexOf(entry) === i);
    if (missing.length === 0) return;
    const heap = missing[0].#heap;
    const run = missing[0].#run;
    const scratch: number[] = [];
    const made: (Rows & { readonly base: number })[] = [];
    try {
      const calls = missing.map((entry, task) => {
        const { rows, call } = entry.#plan(direction, task, scratch);
        made.push(rows);
        return call;
      });
      run(missing.length, calls);
      missing.forEach((entry, i) => {
        entry.#rows[direction] = made[i];
      });
    } catch (error) {
      for (const { base } of made) heap.free(base);
      throw error;
    } finally {
      for (const pointer of scratch) heap.free(pointer);
    }
  }

  free(): void {
    for (const { base } of Object.values(this.#rows)) this.#heap.free(base);
    delete this.#rows.forward;
    delete this.#rows.transposed;
  }

  #get(direction: Direction): Rows {
    Compiled.make([this], direction);
    return this.#rows[direction] as Rows;
  }

  /** Allocates one direction's rows, and the call that fills them. */
  #plan(direction: Direction, task: number, scratch: number[]): { rows: Rows & { readonly base: number }; call: Call } {
    const structure = this.#structure.deref();
    if (structure === undefined) throw new Error('A structure was used after its end.');
    const heap = this.#heap;
    const { positions } = structure;
    const nonzeros = positions.length;
    const { kernel, inputs, outputs, stride, padding, x, y } = this.#geometry;
    const [height, width] = kernel;
    const forward = direction === 'forward' ? undefined : this.forward;
    const shape = (forward ? transposedShape : forwardShape)(nonzeros, this.#geometry);
    const siteWords = forward ? 2 * height * width * inputs : height * width * inputs + 1;
    const groupWords = shape.slices * shape.channels * height;
    const at = heap.allocate(4 * (nonzeros + siteWords + groupWords));
    scratch.push(at);
    heap.int32(at, nonzeros).set(positions);
    const rows = allocateRows(heap, nonzeros, height, shape);
    const fields = {
      task,
      positions: at,
      nonzeros,
      height,
      width,
      inputs,
      outputs,
      stride,
      left: padding[1],
      size: shape.size,
      slices: shape.slices,
      pointers: rows.pointers,
      records: rows.records,
      permutation: rows.permutation,
      scratch: at + 4 * nonzeros,
    };
    const call: Call = forward
      ? {
          kernel: 'transposedRows',
          fields: {
            ...fields,
            yRow: y.row,
            yChannel: y.channel,
            yPixel: y.pixel,
            sources: forward.permutation,
            sourcePointers: forward.pointers,
            sourceRows: forward.slices * forward.channels,
          },
        }
      : { kernel: 'forwardRows', fields: { ...fields, xRow: x.row, xChannel: x.channel, xPixel: x.pixel } };
    return { rows, call };
  }
}

export const geometryKey = (g: Geometry): string =>
  [
    ...g.kernel,
    g.stride,
    ...g.padding,
    g.inputs,
    g.outputs,
    g.x.height,
    g.x.width,
    g.x.pad,
    g.x.nb,
    g.y.height,
    g.y.width,
  ].join();

/** What lies in the heap, made of a structure or for a network. */
interface Made {
  free(): void;
}

/**
 * Compiled structures, by the structure's identity and the geometry, and kernels that have every weight, by the network's;
 * freed with the structure or network, or when memory is short.
 */
export class RowsCache {
  readonly #heap: Heap;
  readonly #run: RunChain;
  readonly #bySource = new WeakMap<object, Map<string, Made>>();
  /** Every compiled structure, least recently used first. */
  readonly #all = new Set<Map<string, Made>>();
  /** Compiled structures that a job which is being prepared reads. */
  readonly #pinned = new Set<Map<string, Made>>();
  readonly #collected = new FinalizationRegistry<Map<string, Made>>((compiled) => this.#free(compiled));

  /** @param run used whenever rows are made */
  constructor(heap: Heap, run: RunChain) {
    this.#heap = heap;
    this.#run = run;
    heap.onFull = () => this.#freeOldest();
  }

  /** Runs `job`; what it gets from the cache stays until it ends. */
  pinning<T>(job: () => T): T {
    try {
      return job();
    } finally {
      this.#pinned.clear();
    }
  }

  /**
   * The rows of a structure.
   *
   * @param owner who fills them with weights; kernels of one job that share a structure need a name each
   */
  get(structure: Structure, geometry: Geometry, owner = ''): Compiled {
    return this.entry(
      structure,
      `rows ${geometryKey(geometry)} ${owner}`,
      () => new Compiled(this.#heap, this.#run, structure, geometry),
    );
  }

  /** What `make` once made of a structure or for a network; the key says what that is. */
  entry<Entry extends Made>(source: object, key: string, make: () => Entry): Entry {
    let compiled = this.#bySource.get(source);
    if (compiled === undefined) {
      compiled = new Map();
      this.#bySource.set(source, compiled);
      this.#collected.register(source, compiled);
    }
    this.#pinned.add(compiled);
    this.#all.delete(compiled);
    this.#all.add(compiled);
    let entry = compiled.get(key) as Entry | undefined;
    if (entry === undefined) {
      entry = make();
      compiled.set(key, entry);
    }
    return entry;
  }

  /** Frees everything. */
  clear(): void {
    for (const compiled of this.#all) this.#free(compiled);
  }

  #freeOldest(): boolean {
    for (const compiled of this.#all) {
      if (compiled.size === 0 || this.#pinned.has(compiled)) continue;
      this.#free(compiled);
      return true;
    }
    return false;
  }

  #free(compiled: Map<string, Made>): void {
    for (const entry of compiled.values()) entry.free();
    compiled.clear();
    this.#all.delete(compiled);
  }
}
