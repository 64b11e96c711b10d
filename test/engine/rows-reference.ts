// A plain implementation of the rows of sparse kernels, for comparison.
import type { Structure } from '../../src/core/structure.ts';
import { sliceSize } from '../../src/engine/blocked/rows.ts';
import type { Geometry } from '../../src/engine/layout/layout.ts';

/*
 * Compressed sparse rows by sorting in plain TypeScript: what the kernels that make them must give.
 */

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
export function rowStarts(starts: Int32Array, rows: number, groups: number): Starts {
  const pointers = new Int32Array(rows * (groups + 1));
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group <= groups; group++) {
      pointers[row * (groups + 1) + group] = starts[row * groups + group];
    }
  }
  return pointers;
}

export interface Offsets {
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
export function forwardRows({ positions }: Structure, g: Geometry): Offsets {
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
export function transposedRows({ positions }: Structure, permutation: Int32Array, g: Geometry): Offsets {
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
