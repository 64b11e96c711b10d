// The least arithmetic and memory traffic of each kernel call.
import type { Call } from '../../src/engine/records/records.ts';

/** What a call must do at least. */
export interface Work {
  /** Multiplications and additions: a multiply-add counts as two. */
  readonly flops: number;
  /** Each value that is read or written once, however often it is read in fact. */
  readonly bytes: number;
}

/** The words of the engine's heap. */
export type ReadWords = (pointer: number, length: number) => Int32Array;

/** Values of a register tile. */
const TILE = 32;
const F32 = 4;
/** Offset and weight of a nonzero. */
const RECORD = 8;

interface SparseRows {
  readonly slices?: number;
  readonly groups: number;
  readonly channels: number;
  readonly pointers: number;
  readonly rowTable: number;
  readonly rows: number;
}

/** Nonzeros of the kernel, and how many of them meet the image summed over the output's rows (edge rows meet fewer). */
export function countRecords(
  { slices = 1, groups, channels, pointers, rowTable, rows }: SparseRows,
  read: ReadWords,
): { nonzeros: number; overRows: number } {
  const step = groups + 1;
  const starts = read(pointers, slices * channels * step);
  const table = read(rowTable, 4 * rows);
  const between = (first: number, end: number): number => {
    let bytes = 0;
    for (let row = 0; row < slices * channels; row++) bytes += starts[row * step + end] - starts[row * step + first];
    return bytes / RECORD;
  };
  const known = new Map<string, number>();
  let overRows = 0;
  for (let row = 0; row < rows; row++) {
    const [first, end] = table.subarray(4 * row);
    const key = `${first} ${end}`;
    const count = known.get(key) ?? between(first, end);
    known.set(key, count);
    overRows += count;
  }
  return { nonzeros: between(0, groups), overRows };
}

/** The work of a call for all tasks of its job; undefined for kernels that no limit is compared with. */
export function workOf({ kernel, fields }: Call, tasks: number, read: ReadWords): Work | undefined {
  const elementwise = (values: number, arrays: number, flops: number): Work => ({
    flops: flops * values,
    bytes: F32 * arrays * values,
  });
  switch (kernel) {
    case 'convolve': {
      const { blocks, rows, channels, tiles, xBlock } = fields;
      const { nonzeros, overRows } = countRecords(fields, read);
      const written = F32 * TILE * tiles * rows * channels * blocks * tasks;
      return {
        flops: 2 * TILE * tiles * blocks * tasks * overRows,
        bytes: xBlock * blocks * tasks + written + RECORD * nonzeros,
      };
    }
    case 'convolveFull': {
      const { blocks, rows, channels, planes, tiles, depth, xBlock, rowTable } = fields;
      const table = read(rowTable, 4 * planes * rows);
      let overRows = 0;
      for (let i = 0; i < table.length; i += 4) overRows += (table[i + 1] - table[i]) * (channels / planes);
      const written = F32 * TILE * tiles * rows * channels * blocks * tasks;
      return {
        flops: 2 * TILE * tiles * blocks * tasks * overRows,
        bytes: xBlock * blocks * tasks + written + F32 * channels * depth,
      };
    }
    case 'weightGradient': {
      const { tiles, xBlock, dBlock, rangeTable, ranges, nonzeros } = fields;
      const blocks = fields.taskBlocks > 0 ? fields.taskBlocks * tasks : fields.blocks;
      const channels = read(rangeTable, ranges + 1)[ranges];
      const { overRows } = countRecords({ ...fields, channels }, read);
      return {
        flops: 2 * TILE * tiles * blocks * overRows,
        bytes: (xBlock + dBlock) * blocks + (RECORD + F32) * nonzeros,
      };
    }
    case 'convolveWinograd': {
      const { blocks, rows, channels, inputs, tiles, xBlock, yBlock } = fields;
      // 16 products of channels for every 2×2 outputs; the transforms around them are not counted.
      const pixels = TILE * tiles * rows * blocks * tasks;
      return {
        flops: 2 * 4 * pixels * inputs * channels,
        bytes: (xBlock + yBlock) * blocks * tasks + F32 * 16 * inputs * channels,
      };
    }
    case 'weightGradientFull': {
      const { allBlocks, rows, tiles, outputs, depth, xBlock, dBlock, rowTable } = fields;
      const table = read(rowTable, 4 * rows);
      let overRows = 0;
      for (let i = 0; i < table.length; i += 4) overRows += (table[i + 1] - table[i]) * outputs;
      return {
        flops: 2 * TILE * tiles * allBlocks * overRows,
        bytes: (xBlock + dBlock) * allBlocks + F32 * outputs * depth,
      };
    }
    case 'affine':
      return elementwise(activations(fields, tasks), 2, 2);
    case 'channelStatistics':
      return elementwise(activations(fields, tasks), 1, 3);
    case 'channelGradientSums':
      return elementwise(activations(fields, tasks), fields.z === 0 ? 1 : 2, fields.z === 0 ? 1 : 4);
    case 'affineGradient':
      return elementwise(activations(fields, tasks), fields.z === 0 ? 2 : 3, fields.z === 0 ? 1 : 4);
    case 'combine':
      return elementwise(activations(fields, tasks), fields.b === 0 ? 2 : 3, fields.b === 0 ? 0 : 1);
    case 'maxPool':
    case 'maxPoolGradient': {
      const { images, channels, height, width, size } = fields;
      const large = images * channels * height * width * tasks;
      const small = large / size ** 2;
      // The gradient of a batch norm before the pooling, if it is part of it, reads z and does 4 operations a value.
      const normalized = kernel === 'maxPoolGradient' && fields.z !== 0;
      const flops = kernel === 'maxPool' ? (fields.scale === 0 ? 1 : 3) : normalized ? 4 : 0;
      return { flops: flops * large, bytes: F32 * ((normalized ? 2 : 1) * large + small) + small };
    }
    case 'averagePool':
    case 'averagePoolGradient': {
      const { images, channels, height, width } = fields;
      const large = images * channels * height * width * tasks;
      return { flops: large, bytes: F32 * (large + images * channels * tasks) };
    }
    case 'repack':
      return elementwise(fields.images * fields.rows * fields.channels * fields.width * tasks, 2, 0);
    case 'relu':
    case 'unary':
      return elementwise(fields.length, 2, 1);
    case 'binary':
      return elementwise(fields.length, 3, 1);
    default:
      return undefined;
  }
}

interface Rows {
  readonly rows: number;
  readonly channels: number;
  readonly tiles: number;
  readonly blocks: number;
}

const activations = ({ rows, channels, tiles, blocks }: Rows, tasks: number): number =>
  TILE * tiles * rows * channels * blocks * tasks;
