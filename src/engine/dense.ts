import type { EngineBackend } from './backend.ts';
import { type Segment, segments, transposedSegments, type Windows } from './windows.ts';

/** A dense convolution of [batch, rows, columns, inputs] by [rows, columns, inputs, outputs] of the window. */
export interface DenseConvolution extends Windows {
  readonly inputs: number;
  readonly outputs: number;
}

/** Columns of a panel of weights, as assembly/tile.ts has them. */
const PANEL = 16;
/** Bytes of inputs that a task goes over for one panel after another, and bounds of the outputs that makes. */
const TASK_BYTES = 256 << 10;
const FEWEST = 64;
const MOST = 512;
/** Where fewer tasks come of that, some share their outputs and take different panels. */
const TASKS = 16;
/** Weights that one task packs. */
const PACK = 16384;

/** Everything in bytes: the strides of a product's two sides, and of its weights. */
interface Sides {
  readonly depth: number;
  readonly channels: number;
  readonly columns: number;
  readonly x: { readonly image: number; readonly row: number; readonly column: number };
  readonly y: { readonly image: number; readonly row: number; readonly column: number };
  readonly rows: readonly Segment[];
  readonly across: readonly Segment[];
}

interface Region {
  /** In the order of the assembly's fields; `runs` are put where they come to lie. */
  readonly fields: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly runs: readonly number[];
}

const strides = (rows: number, columns: number, channels: number) => ({
  image: 4 * rows * columns * channels,
  row: 4 * columns * channels,
  column: 4 * channels,
});

/** Contiguous pieces of the windows of a region's first output: [offset in x, first k, length] each. */
function runsOf(sides: Sides, width: number, rows: Segment, columns: Segment): number[] {
  const { channels, x } = sides;
  const runs: number[] = [];
  for (const row of rows.taps) {
    let next: { place: number; source: number } | undefined;
    for (const { place, source } of columns.taps) {
      if (place === next?.place && source === next.source) runs[runs.length - 1] += channels;
      else runs.push(row.source * x.row + source * x.column, (row.place * width + place) * channels, channels);
      next = { place: place + 1, source: source + 1 };
    }
  }
  return runs;
}

const regionsOf = (sides: Sides, width: number): Region[] =>
  sides.rows.flatMap((rows) =>
    sides.across.map((columns) => ({
      // biome-ignore format: as the assembly's class
      fields: [
        rows.first * sides.y.row + columns.first * sides.y.column, rows.step * sides.y.row, columns.step * sides.y.column,
        rows.sourceStep * sides.x.row, columns.sourceStep * sides.x.column, columns.count,
      ],
      rows: rows.count,
      columns: columns.count,
      runs: runsOf(sides, width, rows, columns),
    })),
  );

/** The regions cut into tasks' pieces, [region, first row, rows, first image, images] each; the largest regions first. */
function piecesOf(regions: readonly Region[], batch: number, channels: number): number[] {
  const outputs = Math.min(MOST, Math.max(FEWEST, Math.floor(TASK_BYTES / (4 * channels))));
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

export interface Epilogue {
  /** Address of f32 an output channel. */
  readonly bias?: number;
  readonly relu?: boolean;
}

/** How the weights of a product lie: steps in bytes from a place of the window, input and output channel to the next. */
export interface WeightSteps {
  readonly first: number;
  readonly tap: number;
  readonly channel: number;
  readonly column: number;
}

/** y = f(bias + x ∗ w), or with `direction` transposed the gradient of the input at x; all are addresses. */
export function denseConvolve(
  backend: EngineBackend,
  convolution: DenseConvolution,
  direction: 'forward' | 'transposed',
  x: number,
  w: number,
  y: number,
  epilogue: Epilogue = {},
): void {
  const { rows, columns, inputs, outputs } = convolution;
  const taps = rows.size * columns.size;
  const [input, output] = [strides(rows.input, columns.input, inputs), strides(rows.output, columns.output, outputs)];
  const tap = 4 * inputs * outputs;
  if (direction === 'forward') {
    const sides = {
      ...{ depth: taps * inputs, channels: inputs, columns: outputs, x: input, y: output },
      ...{ rows: segments(rows), across: segments(columns) },
    };
    multiply(backend, convolution, sides, { first: w, tap, channel: 4 * outputs, column: 4 }, x, y, epilogue);
  } else {
    const sides = {
      ...{ depth: taps * outputs, channels: outputs, columns: inputs, x: output, y: input },
      ...{ rows: transposedSegments(rows), across: transposedSegments(columns) },
    };
    const turned = { first: w + (taps - 1) * tap, tap: -tap, channel: 4, column: 4 * outputs };
    multiply(backend, convolution, sides, turned, x, y, epilogue);
  }
}

function multiply(
  { heap, pool }: EngineBackend,
  { batch, columns: { size: width } }: DenseConvolution,
  sides: Sides,
  weights: WeightSteps,
  x: number,
  y: number,
  { bias, relu }: Epilogue,
): void {
  const { depth, channels, columns } = sides;
  const panels = Math.ceil(columns / PANEL);
  const regions = regionsOf(sides, width);
  const pieces = piecesOf(regions, batch, channels);
  const runs = regions.reduce((sum, region) => sum + region.runs.length, 0);

  const b = heap.allocate(4 * (panels * PANEL * (depth + 1) + 8 * regions.length + runs + pieces.length));
  try {
    const first = b + 4 * panels * PANEL * depth;
    const regionsAt = first + 4 * panels * PANEL;
    const runsAt = regionsAt + 32 * regions.length;
    const piecesAt = runsAt + 4 * runs;
    const sums = heap.float32(first, panels * PANEL).fill(0);
    if (bias !== undefined) sums.set(heap.float32(bias, columns));
    let at = runsAt;
    for (const [i, { fields, runs }] of regions.entries()) {
      heap.int32(at, runs.length).set(runs);
      heap.int32(regionsAt + 32 * i, 8).set([...fields, at, at + 4 * runs.length]);
      at += 4 * runs.length;
    }
    heap.int32(piecesAt, pieces.length).set(pieces);

    const chunk = Math.ceil(PACK / PANEL);
    pool.run(panels * Math.ceil(depth / chunk), 'packPanels', {
      w: weights.first,
      tapStep: weights.tap,
      channelStep: weights.channel,
      columnStep: weights.column,
      taps: depth / channels,
      channels,
      columns,
      b,
      chunk,
    });
    const pieceCount = pieces.length / 5;
    const panelGroups = Math.min(panels, Math.ceil(TASKS / pieceCount));
    pool.run(pieceCount * panelGroups, 'denseConvolve', {
      x,
      xImage: sides.x.image,
      y,
      yImage: sides.y.image,
      b,
      depth,
      columns,
      bias: first,
      relu: relu ? 1 : 0,
      regions: regionsAt,
      pieces: piecesAt,
      panelGroups,
    });
  } finally {
    heap.free(b);
  }
}
