import { type Structure, sizeOf } from '../core/structure.ts';
import type { Heap } from './heap.ts';
import type { Geometry, Layout } from './layout.ts';

/**
 * Compressed sparse rows in the heap, as the kernels read them (assembly/convolution.ts). There is a row for each output
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

/** The first record of each group of each row and the end, [rows · (groups + 1)], in records. */
type Starts = Int32Array;

/** Stable counting sort: the order of 0 … keys.length − 1 by key, and where each key starts. */
function sortBy(keys: Int32Array, order: Int32Array, range: number): { order: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(range + 1);
  for (const key of keys) starts[key + 1]++;
  for (let key = 0; key < range; key++) starts[key + 1] += starts[key];
  const next = starts.slice(0, range);
  const sorted = new Int32Array(keys.length);
  for (const item of order) sorted[next[keys[item]]++] = item;
  return { order: sorted, starts };
}

const identity = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);

/** One end pointer more a row than there are groups; groups of a row follow each other. */
function rowStarts(starts: Int32Array, rows: number, groups: number): Starts {
  const pointers = new Int32Array(rows * (groups + 1));
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group <= groups; group++) {
      pointers[row * (groups + 1) + group] = starts[row * groups + group];
    }
  }
  return pointers;
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
function sliceSize(
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

interface Offsets {
  readonly channels: number;
  readonly slices: number;
  readonly groups: number;
  readonly starts: Int32Array;
  readonly offsets: Int32Array;
  readonly permutation: Int32Array;
  /** [row][first group, end group, byte offset of the input, 0] */
  readonly table: Int32Array;
}

const modulo = (a: number, b: number): number => ((a % b) + b) % b;

/** Rows by slice and output channel; groups are rows of the kernel; within them by input channel and column. */
function forwardRows({ positions }: Structure, g: Geometry): Offsets {
  const [kernelHeight, kernelWidth] = g.kernel;
  const n = positions.length;
  const { inputs, outputs, stride, x, y } = g;
  const size = sliceSize(x, g.kernel, inputs, n / outputs);
  const slices = Math.ceil(inputs / size);
  const inputOf = new Int32Array(n);
  const groupOf = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const position = positions[i];
    const site = Math.floor(position / outputs);
    const input = site % inputs;
    const row = Math.floor(input / size) * outputs + (position % outputs);
    inputOf[i] = input;
    groupOf[i] = row * kernelHeight + Math.floor(site / (inputs * kernelWidth));
  }
  const byInput = sortBy(inputOf, identity(n), inputs).order;
  const { order, starts } = sortBy(groupOf, byInput, slices * outputs * kernelHeight);
  const offsets = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const site = Math.floor(positions[order[i]] / outputs);
    const kw = Math.floor(site / inputs) % kernelWidth;
    const kh = Math.floor(site / (inputs * kernelWidth));
    const column = kw - g.padding[1];
    const plane = modulo(column, stride);
    offsets[i] = kh * x.row + (plane * inputs + (site % inputs)) * x.channel + ((column - plane) / stride) * x.pixel;
  }
  const table = new Int32Array(4 * y.height);
  for (let h = 0; h < y.height; h++) {
    const top = h * stride - g.padding[0];
    const first = Math.min(kernelHeight, Math.max(0, -top));
    table.set([first, Math.max(first, Math.min(kernelHeight, x.height - top)), top * x.row, 0], 4 * h);
  }
  return { channels: outputs, slices, groups: kernelHeight, starts, offsets, permutation: order, table };
}

/**
 * The transposed rows: by input channel (of a plane). Groups are the kernel's rows in the order of (kh mod stride, kh),
 * so that the rows which meet one row of the input follow each other.
 */
function transposedRows({ positions }: Structure, permutation: Int32Array, g: Geometry): Offsets {
  const [kernelHeight, kernelWidth] = g.kernel;
  const n = positions.length;
  const { inputs, outputs, stride, x, y } = g;
  const groupStart = Array.from({ length: stride + 1 }, (_, residue) => {
    let start = 0;
    for (let r = 0; r < residue; r++) start += Math.ceil(Math.max(0, kernelHeight - r) / stride);
    return start;
  });
  const channels = stride * inputs;
  const size = sliceSize(y, g.kernel, outputs, n / inputs);
  const slices = Math.ceil(outputs / size);
  const keys = new Int32Array(n);
  const offsets = new Int32Array(n);
  const unordered = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const position = positions[permutation[i]];
    const output = position % outputs;
    const site = Math.floor(position / outputs);
    const kw = Math.floor(site / inputs) % kernelWidth;
    const kh = Math.floor(site / (inputs * kernelWidth));
    const column = kw - g.padding[1];
    const plane = modulo(column, stride);
    const step = Math.floor(kh / stride);
    const row = Math.floor(output / size) * channels + plane * inputs + (site % inputs);
    keys[i] = row * kernelHeight + groupStart[kh % stride] + step;
    unordered[i] = -step * y.row + output * y.channel - ((column - plane) / stride) * y.pixel;
  }
  const { order, starts } = sortBy(keys, identity(n), slices * channels * kernelHeight);
  for (let i = 0; i < n; i++) offsets[i] = unordered[order[i]];
  const table = new Int32Array(4 * x.height);
  for (let h = 0; h < x.height; h++) {
    const residue = (h + g.padding[0]) % stride;
    const base = Math.floor((h + g.padding[0]) / stride);
    const count = groupStart[residue + 1] - groupStart[residue];
    const first = Math.min(count, Math.max(0, base - y.height + 1));
    const end = Math.max(first, Math.min(count, base + 1));
    table.set([groupStart[residue] + first, groupStart[residue] + end, base * y.row, 0], 4 * h);
  }
  return { channels, slices, groups: kernelHeight, starts, offsets, permutation: order, table };
}

/** Copies rows into the heap; weights are not written yet. */
function place(
  heap: Heap,
  { channels, slices, groups, starts, offsets, permutation, table }: Offsets,
): Rows & { base: number } {
  const n = offsets.length;
  const pointerWords = slices * channels * (groups + 1);
  const base = heap.allocate(4 * (2 * n + n + pointerWords + table.length));
  const records = base;
  const permutationAt = records + 8 * n;
  const pointers = permutationAt + 4 * n;
  const rowTable = pointers + 4 * pointerWords;
  const words = heap.int32(records, 2 * n);
  for (let i = 0; i < n; i++) words[2 * i] = offsets[i];
  heap.int32(permutationAt, n).set(permutation);
  const bytes = rowStarts(starts, slices * channels, groups).map((start) => 8 * start);
  heap.int32(pointers, pointerWords).set(bytes);
  heap.int32(rowTable, table.length).set(table);
  return { base, channels, slices, groups, pointers, records, rowTable, permutation: permutationAt };
}

/** Identities of the tensors whose values the records hold. */
export type WeightKey = readonly (object | null)[];

const sameKey = (a: WeightKey | undefined, b: WeightKey): boolean =>
  a?.length === b.length && b.every((part, i) => part === a[i]);

/** A structure as the kernels read it for one geometry: rows by output channel and, when asked for, by input channel. */
export class Compiled {
  readonly nonzeros: number;
  /** Of the dense kernel. */
  readonly size: number;
  readonly forward: Rows;
  /** What the weights in the forward and in the transposed records were made of. */
  forwardKey: WeightKey | undefined;
  transposedKey: WeightKey | undefined;
  /** Records before each of the forward rows, for splitting them into ranges of equal work. */
  readonly rowStarts: Int32Array;
  readonly #heap: Heap;
  /** Weak, for the cache must not keep alive what its entries are freed with. */
  readonly #structure: WeakRef<Structure>;
  readonly #geometry: Geometry;
  #transposed: Rows | undefined;
  readonly #bases: number[] = [];

  constructor(heap: Heap, structure: Structure, geometry: Geometry) {
    this.#heap = heap;
    this.#structure = new WeakRef(structure);
    this.#geometry = geometry;
    this.nonzeros = structure.positions.length;
    this.size = sizeOf(structure.shape);
    const offsets = forwardRows(structure, geometry);
    const { base, ...forward } = place(heap, offsets);
    this.#bases.push(base);
    this.forward = forward;
    const { starts, channels, slices, groups } = offsets;
    this.rowStarts = Int32Array.from({ length: slices * channels + 1 }, (_, row) => starts[row * groups]);
  }

  get transposed(): Rows {
    if (this.#transposed === undefined) {
      const structure = this.#structure.deref();
      if (structure === undefined) throw new Error('A structure was used after its end.');
      const permutation = this.#heap.int32(this.forward.permutation, this.nonzeros);
      const { base, ...rows } = place(this.#heap, transposedRows(structure, permutation, this.#geometry));
      this.#bases.push(base);
      this.#transposed = rows;
    }
    return this.#transposed;
  }

  hasForward(key: WeightKey): boolean {
    return sameKey(this.forwardKey, key);
  }

  hasTransposed(key: WeightKey): boolean {
    return sameKey(this.transposedKey, key);
  }

  free(): void {
    for (const base of this.#bases) this.#heap.free(base);
    this.#bases.length = 0;
  }
}

const geometryKey = (g: Geometry): string =>
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

/** Compiled structures, by the structure's identity and the geometry; freed with the structure, or when memory is short. */
export class RowsCache {
  readonly #heap: Heap;
  readonly #byStructure = new WeakMap<Structure, Map<string, Compiled>>();
  /** Every compiled structure, least recently used first. */
  readonly #all = new Set<Map<string, Compiled>>();
  /** Compiled structures that a job which is being prepared reads. */
  readonly #pinned = new Set<Map<string, Compiled>>();
  readonly #collected = new FinalizationRegistry<Map<string, Compiled>>((compiled) => this.#free(compiled));

  constructor(heap: Heap) {
    this.#heap = heap;
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
    let compiled = this.#byStructure.get(structure);
    if (compiled === undefined) {
      compiled = new Map();
      this.#byStructure.set(structure, compiled);
      this.#collected.register(structure, compiled);
    }
    this.#pinned.add(compiled);
    this.#all.delete(compiled);
    this.#all.add(compiled);
    const key = `${geometryKey(geometry)} ${owner}`;
    let entry = compiled.get(key);
    if (entry === undefined) {
      entry = new Compiled(this.#heap, structure, geometry);
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

  #free(compiled: Map<string, Compiled>): void {
    for (const entry of compiled.values()) entry.free();
    compiled.clear();
    this.#all.delete(compiled);
  }
}
