// Full kernels (kernels with every weight) in the form that convolutions of blocks read.
import type { Program } from '../../ops/network.ts';
import type { EngineBackend } from '../backend.ts';
import type { Geometry } from '../layout/layout.ts';
import type { Heap } from '../runtime/heap.ts';
import { type Direction, geometryKey, sameKey, type WeightKey } from './rows.ts';
import type { Weights } from './sparse-convolution.ts';
import { usesWinograd, winogradBytes, winogradGroups, winogradSource } from './winograd.ts';

/** What a convolution of blocks with a kernel that has every weight reads beside weights (assembly/blocked/full-convolution.ts). */
export interface Tables {
  readonly planes: number;
  /** Number of channels of each plane. */
  readonly channels: number;
  readonly depth: number;
  readonly offsets: number;
  readonly rowTable: number;
  /** [plane][k]: the first channel's weight in the kernel, in bytes, and from one channel to the next. */
  readonly sources: number;
  readonly valueStep: number;
  /** Bytes of the panels of weights. */
  readonly bytes: number;
}

/** Output channels that share what they read; fewer where there are no more. */
const WIDE = 6;
const NARROW = 3;

const groupWidth = (channels: number): number => (channels > NARROW ? WIDE : NARROW);

/** Groups of all planes. */
export const groupsOf = ({ planes, channels }: Pick<Tables, 'planes' | 'channels'>): number =>
  planes * Math.ceil(channels / groupWidth(channels));

/** Weight k of a group: where it lies in the kernel, and from an output to what it is multiplied with. */
interface Step {
  readonly source: number;
  readonly offset: number;
}

interface Table {
  readonly channels: number;
  readonly valueStep: number;
  /** Steps by plane, of each row of the kernel in the order in which outputs meet them. */
  readonly planes: readonly (readonly Step[])[];
  /** [plane][row][first k, end k, byte offset of the input, 0] */
  readonly rows: Int32Array;
}

/** A column of the kernel that meets one plane of a strided convolution's input, `shift` columns from the output's. */
interface Column {
  readonly kw: number;
  readonly plane: number;
  readonly shift: number;
}

function columnsOf({ kernel: [, width], stride, padding: [, left] }: Geometry): Column[] {
  return Array.from({ length: width }, (_, kw) => {
    const shift = Math.floor((kw - left) / stride);
    return { kw, plane: kw - left - shift * stride, shift };
  });
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

function forwardTable(g: Geometry): Table {
  const { inputs, outputs, x, y, stride } = g;
  const [kernelHeight, kernelWidth] = g.kernel;
  const columns = columnsOf(g);
  const steps = range(kernelHeight).flatMap((kh) =>
    range(inputs).flatMap((input) =>
      columns.map(({ kw, plane, shift }) => ({
        source: 4 * ((kh * kernelWidth + kw) * inputs + input) * outputs,
        offset: kh * x.row + (plane * inputs + input) * x.channel + shift * x.pixel,
      })),
    ),
  );
  const perRow = inputs * kernelWidth;
  const rows = range(y.height).flatMap((h) => {
    const top = h * stride - g.padding[0];
    const first = Math.min(kernelHeight, Math.max(0, -top));
    const end = Math.max(first, Math.min(kernelHeight, x.height - top));
    return [first * perRow, end * perRow, top * x.row, 0];
  });
  return { channels: outputs, valueStep: 4, planes: [steps], rows: Int32Array.from(rows) };
}

/** The kernel's rows that meet one row of the input follow each other: they are in the order of (kh mod stride, kh). */
function transposedTable(g: Geometry): Table {
  const { inputs, outputs, x, y, stride } = g;
  const [kernelHeight, kernelWidth] = g.kernel;
  const order = range(stride).flatMap((residue) => range(kernelHeight).filter((kh) => kh % stride === residue));
  const rows: number[] = [];
  const planes = range(stride).map((plane) => {
    const columns = columnsOf(g).filter((column) => column.plane === plane);
    const perRow = outputs * columns.length;
    for (let h = 0; h < x.height; h++) {
      const residue = (h + g.padding[0]) % stride;
      const base = Math.floor((h + g.padding[0]) / stride);
      const meeting = order.filter((kh) => {
        const row = base - Math.floor(kh / stride);
        return kh % stride === residue && row >= 0 && row < y.height;
      });
      const first = meeting.length === 0 ? 0 : order.indexOf(meeting[0]);
      rows.push(first * perRow, (first + meeting.length) * perRow, base * y.row, 0);
    }
    return order.flatMap((kh) =>
      range(outputs).flatMap((output) =>
        columns.map(({ kw, shift }) => ({
          source: 4 * ((kh * kernelWidth + kw) * inputs * outputs + output),
          offset: -Math.floor(kh / stride) * y.row + output * y.channel - shift * y.pixel,
        })),
      ),
    );
  });
  return { channels: inputs, valueStep: 4 * outputs, planes, rows: Int32Array.from(rows) };
}

/** Copies tables into the heap. */
function place(heap: Heap, { channels, valueStep, planes, rows }: Table): Tables {
  const depth = Math.max(...planes.map((steps) => steps.length));
  const shape = { planes: planes.length, channels, depth };
  const words = planes.length * depth;
  const offsets = heap.allocate(4 * (2 * words + rows.length));
  const sources = offsets + 4 * words;
  const rowTable = sources + 4 * words;
  heap.int32(offsets, 2 * words).fill(0);
  planes.forEach((steps, plane) => {
    heap.int32(offsets + 4 * plane * depth, steps.length).set(steps.map(({ offset }) => offset));
    heap.int32(sources + 4 * plane * depth, steps.length).set(steps.map(({ source }) => source));
  });
  heap.int32(rowTable, rows.length).set(rows);
  const bytes = 4 * groupsOf(shape) * groupWidth(channels) * depth;
  return { ...shape, offsets, rowTable, sources, valueStep, bytes };
}

interface Addresses {
  readonly values: number;
  readonly scale: number;
}

/** A kernel that has every weight as the kernels on blocks read it for one geometry. */
export class FullKernel {
  /** True if its convolutions run by Winograd's algorithm. */
  readonly winograd: boolean;
  readonly #heap: Heap;
  readonly #geometry: Geometry;
  readonly #tables: Partial<Record<Direction, Tables>> = {};
  /** Addresses of the weights, and what they were made of. */
  readonly #weights: Partial<Record<Direction, number>> = {};
  readonly #keys: Partial<Record<Direction, WeightKey>> = {};

  constructor(heap: Heap, geometry: Geometry) {
    this.#heap = heap;
    this.#geometry = geometry;
    this.winograd = usesWinograd(geometry);
  }

  /**
   * The kernel of a geometry.
   *
   * @param program whose kernel it is; freed with it
   * @param name tells kernels of equal shape apart
   */
  static of({ heap, rows }: EngineBackend, program: Program, geometry: Geometry, name: string): FullKernel {
    return rows.entry(program, `full ${geometryKey(geometry)} ${name}`, () => new FullKernel(heap, geometry));
  }

  tables(direction: Direction): Tables {
    const table = direction === 'forward' ? forwardTable : transposedTable;
    this.#tables[direction] ??= place(this.#heap, table(this.#geometry));
    return this.#tables[direction];
  }

  /** The address of the weights, panel by panel or transformed. */
  weights(direction: Direction): number {
    const { winograd } = this;
    this.#weights[direction] ??= this.#heap.allocate(
      winograd ? winogradBytes(this.#geometry, direction) : this.tables(direction).bytes,
    );
    return this.#weights[direction];
  }

  /** Writes the weights into the heap as the convolution reads them, unless they are there already. */
  fill(backend: EngineBackend, direction: Direction, { values, scale }: Weights): void {
    const key: WeightKey = [values.dataId, ...(scale?.key ?? [])];
    if (sameKey(this.#keys[direction], key)) return;
    const from = { values: backend.pointer(values), scale: scale?.pointer ?? 0 };
    if (this.winograd) this.#fillWinograd(backend, direction, from);
    else this.#fillPanels(backend, direction, from);
    this.#keys[direction] = key;
  }

  #fillWinograd({ pool }: EngineBackend, direction: Direction, { values, scale }: Addresses): void {
    pool.run(winogradGroups(this.#geometry, direction), 'fillWinograd', {
      weights: this.weights(direction),
      ...winogradSource(this.#geometry, direction, values),
      scale,
    });
  }

  #fillPanels({ pool }: EngineBackend, direction: Direction, from: Addresses): void {
    const tables = this.tables(direction);
    const { planes, channels, depth, sources, valueStep } = tables;
    pool.run(groupsOf(tables), 'fillPanels', {
      panels: this.weights(direction),
      planes,
      channels,
      depth,
      sources,
      valueStep,
      ...from,
      transposed: direction === 'transposed' ? this.#geometry.outputs : 0,
    });
  }

  free(): void {
    for (const { offsets } of Object.values(this.#tables)) this.#heap.free(offsets);
    for (const weights of Object.values(this.#weights)) this.#heap.free(weights);
  }
}
