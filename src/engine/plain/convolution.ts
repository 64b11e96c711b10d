// Runs convolutions of plain tensors.
import type { EngineBackend } from '../backend.ts';
import { type Passage, plain, tiling } from './regions.ts';
import type { Windows } from './windows.ts';

/** A convolution of plain tensors: [batch, rows, columns, inputs] by [rows, columns, inputs, outputs] of the window. */
export interface PlainConvolution {
  readonly windows: Windows;
  readonly inputs: number;
  readonly outputs: number;
}

/** Columns of a panel of weights, as assembly/shared/tile.ts has them. */
const PANEL = 16;
/** Where there are fewer pieces, several tasks share one and take different panels. */
const TASKS = 16;
/** Values of k of a panel that a task packs. */
const PACK = 1024;

export interface Epilogue {
  /** Address of f32 an output channel. */
  readonly bias?: number;
  readonly relu?: boolean;
}

/** How the weights of a product lie, in bytes: the first, and steps to the next place of the window, row and column. */
interface Weights {
  readonly first: number;
  readonly tap: number;
  readonly channel: number;
  readonly column: number;
}

/** y = f(bias + x ∗ w), or with `direction` transposed the gradient of the input at x; x, w and y are addresses. */
export function convolvePlain(
  backend: EngineBackend,
  convolution: PlainConvolution,
  direction: 'forward' | 'transposed',
  x: number,
  w: number,
  y: number,
  epilogue: Epilogue = {},
): void {
  const { windows, inputs, outputs } = convolution;
  const { rows, columns } = windows;
  const input = plain(rows.input, columns.input, inputs);
  const output = plain(rows.output, columns.output, outputs);
  const tap = 4 * inputs * outputs;
  if (direction === 'forward') {
    const passage: Passage = { windows, direction, from: input, to: output, depth: inputs };
    multiply(backend, passage, outputs, { first: w, tap, channel: 4 * outputs, column: 4 }, x, y, epilogue);
  } else {
    const passage: Passage = { windows, direction, from: output, to: input, depth: outputs };
    const last = w + (rows.size * columns.size - 1) * tap;
    multiply(backend, passage, inputs, { first: last, tap: -tap, channel: 4, column: 4 * outputs }, x, y, epilogue);
  }
}

function multiply(
  { heap, pool }: EngineBackend,
  passage: Passage,
  columns: number,
  weights: Weights,
  x: number,
  y: number,
  { bias, relu }: Epilogue,
): void {
  const { windows, from, to, depth: channels } = passage;
  const taps = windows.rows.size * windows.columns.size;
  const depth = taps * channels;
  const panels = Math.ceil(columns / PANEL);
  const tiles = tiling(passage);
  const b = heap.allocate(4 * panels * PANEL * (depth + 1) + tiles.bytes);
  try {
    const sums = b + 4 * panels * PANEL * depth;
    const first = heap.float32(sums, panels * PANEL).fill(0);
    if (bias !== undefined) first.set(heap.float32(bias, columns));
    const tables = tiles.write(heap, sums + 4 * panels * PANEL);
    pool.run(panels * Math.ceil(depth / PACK), 'packPanels', {
      w: weights.first,
      tapStep: weights.tap,
      channelStep: weights.channel,
      columnStep: weights.column,
      taps,
      channels,
      columns,
      b,
      chunk: PACK,
    });
    const panelGroups = Math.min(panels, Math.ceil(TASKS / tiles.pieces));
    pool.run(tiles.pieces * panelGroups, 'convolvePlain', {
      x,
      xImage: from.image,
      y,
      yImage: to.image,
      b,
      depth,
      columns,
      bias: sums,
      relu: relu ? 1 : 0,
      ...tables,
      panelGroups,
    });
  } finally {
    heap.free(b);
  }
}
