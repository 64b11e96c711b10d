// Cuts the outputs of a plain convolution into regions whose windows meet the image alike.
import type { Heap } from '../runtime/heap.ts';
import { type Segment, segments, transposedSegments, type Windows } from './windows.ts';

/** Strides of a plain tensor's images, rows and pixels, in bytes. */
export interface Plain {
  readonly image: number;
  readonly row: number;
  readonly column: number;
}

export const plain = (rows: number, columns: number, channels: number): Plain => ({
  image: 4 * rows * columns * channels,
  row: 4 * columns * channels,
  column: 4 * channels,
});

/** What goes over windows: from x to y, or with the windows turned round from the gradient of y to that of x. */
export interface Passage {
  readonly windows: Windows;
  readonly direction: 'forward' | 'transposed';
  /** What is read and what is written. */
  readonly from: Plain;
  readonly to: Plain;
  /** Values of k that a place of the window has: its channels, or 1 where each channel is for itself. */
  readonly depth: number;
}

/** Bytes of inputs that a task goes over, and bounds of the number of outputs which that makes. */
const TASK_BYTES = 256 << 10;
const FEWEST = 64;
const MOST = 512;
/** Words of the assembly's classes `Region` and `Piece`. */
const REGION = 8;
const PIECE = 5;

interface Region {
  /** The fields of a region in the order of the assembly's class, without the addresses of the runs. */
  readonly fields: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly runs: readonly number[];
}

/** Contiguous pieces of the windows of a region's first output: [offset in x, first k, length] each. */
function runsOf({ windows, from, depth }: Passage, rows: Segment, columns: Segment): number[] {
  const runs: number[] = [];
  for (const row of rows.taps) {
    let next: { place: number; source: number } | undefined;
    for (const { place, source } of columns.taps) {
      if (place === next?.place && source === next.source) runs[runs.length - 1] += depth;
      else {
        const k = (row.place * windows.columns.size + place) * depth;
        runs.push(row.source * from.row + source * from.column, k, depth);
      }
      next = { place: place + 1, source: source + 1 };
    }
  }
  return runs;
}

function regionsOf(passage: Passage): Region[] {
  const { windows, direction, from, to } = passage;
  const cut = direction === 'forward' ? segments : transposedSegments;
  return cut(windows.rows).flatMap((rows) =>
    cut(windows.columns).map((columns) => ({
      // biome-ignore format: as the assembly's class
      fields: [
        rows.first * to.row + columns.first * to.column, rows.step * to.row, columns.step * to.column,
        rows.sourceStep * from.row, columns.sourceStep * from.column, columns.count,
      ],
      rows: rows.count,
      columns: columns.count,
      runs: runsOf(passage, rows, columns),
    })),
  );
}

/** The regions cut into pieces, [region, first row, rows, first image, images] each; the largest regions first. */
function piecesOf(regions: readonly Region[], { windows: { batch }, from }: Passage): number[] {
  const outputs = Math.min(MOST, Math.max(FEWEST, Math.floor(TASK_BYTES / from.column)));
  const bySize = regions.map((region, i) => ({ ...region, i }));
  bySize.sort((a, b) => b.rows * b.columns - a.rows * a.columns);
  return bySize.flatMap(({ i, rows, columns }) => {
    const together = Math.min(rows, Math.max(1, Math.floor(outputs / columns)));
    const images = Math.min(batch, Math.max(1, Math.floor(outputs / (rows * columns))));
    const pieces: number[] = [];
    for (let image = 0; image < batch; image += images) {
      for (let row = 0; row < rows; row += together) {
        pieces.push(i, row, Math.min(together, rows - row), image, Math.min(images, batch - image));
      }
    }
    return pieces;
  });
}

/** How outputs are shared among tasks (assembly/plain/regions.ts). */
export interface Tiling {
  readonly bytes: number;
  /** One task each, or several. */
  readonly pieces: number;
  /** Writes the tables to `at`; returns where they are. */
  readonly write: (heap: Heap, at: number) => { readonly regions: number; readonly pieces: number };
}

export function tiling(passage: Passage): Tiling {
  const regions = regionsOf(passage);
  const pieces = piecesOf(regions, passage);
  const words = regions.reduce((sum, { runs }) => sum + REGION + runs.length, pieces.length);
  return {
    bytes: 4 * words,
    pieces: pieces.length / PIECE,
    write: (heap, at) => {
      const table = heap.int32(at, words);
      let runsAt = REGION * regions.length;
      for (const [i, { fields, runs }] of regions.entries()) {
        table.set([...fields, at + 4 * runsAt, at + 4 * (runsAt + runs.length)], REGION * i);
        table.set(runs, runsAt);
        runsAt += runs.length;
      }
      table.set(pieces, runsAt);
      return { regions: at, pieces: at + 4 * runsAt };
    },
  };
}
