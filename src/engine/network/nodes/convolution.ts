// Plans convolutions of a network, forward and backward: sparse, full and by Winograd.
import type { Tables } from '../../blocked/full-convolution.ts';
import { gradientFields, partialBytes } from '../../blocked/full-gradient.ts';
import type { Direction } from '../../blocked/rows.ts';
import type { PartialGradients } from '../../blocked/sparse-convolution.ts';
import { usesWinograd, winogradChunk } from '../../blocked/winograd.ts';
import { paddedBatch } from '../../layout/layout.ts';
import { NO_SUMS, rowFields } from '../../records/fields.ts';
import { ZEROS } from '../../runtime/control.ts';
import type { Backward } from '../backward-pass.ts';
import type { Builder, Place, Side } from '../builder.ts';
import { type Bits, type Forward, NO_BITS, type SumFields } from '../forward-pass.ts';
import type { NodeOf, Value } from '../graph.ts';
import type { Field, LightGradient } from '../plan.ts';
import { again } from './batch-norm.ts';

type ConvNode = NodeOf<'conv'>;

/** Bytes of a full kernel's weights that stay in cache while every row meets them all. */
const CACHED_WEIGHTS = 256 << 10;

/** A convolution from one value's layout to another's, with the node's weights or the transposed ones. */
interface Convolution {
  readonly node: ConvNode;
  readonly direction: Direction;
  readonly from: Value;
  readonly to: Value;
  /** Of a task. */
  readonly images: number;
}

/** What its kernel reads and writes beside the weights. */
interface Sides extends Side<'x'>, Side<'y'>, Side<'add'>, Bits, SumFields {
  readonly bias: Field;
  readonly biasStep: number;
  readonly epilogue: number;
}

/** Emits the kernel for the node's weights: few of them, or all. */
function convolve(of: Convolution, { builder, options }: Pick<Forward, 'builder' | 'options'>, sides: Sides): void {
  const { geometry, name } = of.node;
  const emit = !options.full.has(name) ? emitSparse : usesWinograd(geometry) ? emitWinograd : emitFull;
  emit(of, builder, { ...sides, ...blockFields(of) });
}

function blockFields({ from, to, images }: Convolution) {
  const { row: yRow, channel: yChannel, ...rows } = rowFields(to.layout, images);
  return { xBlock: from.layout.block, yBlock: to.layout.block, ...rows, yRow, yChannel, pad: to.layout.padBytes };
}

type Blocks = Sides & ReturnType<typeof blockFields>;

function emitSparse({ node, direction, images }: Convolution, builder: Builder, blocks: Blocks): void {
  const of =
    (field: 'slices' | 'groups' | 'pointers' | 'records' | 'rowTable'): Field =>
    (run) =>
      run.rows(node)[direction][field];
  builder.emit(images, 'convolve', {
    ...blocks,
    slices: of('slices'),
    groups: of('groups'),
    pointers: of('pointers'),
    records: of('records'),
    rowTable: of('rowTable'),
  });
}

function emitFull({ node, direction, images }: Convolution, builder: Builder, blocks: Blocks): void {
  const of =
    (field: keyof Tables): Field =>
    (run) =>
      run.full(node).tables(direction)[field];
  builder.emit(images, 'convolveFull', {
    ...blocks,
    planes: of('planes'),
    depth: of('depth'),
    panels: (run) => run.full(node).weights(direction),
    offsets: of('offsets'),
    rowTable: of('rowTable'),
    groupMajor: (run) => (run.full(node).tables(direction).bytes > CACHED_WEIGHTS ? 1 : 0),
  });
}

function emitWinograd({ node, direction, from, to, images }: Convolution, builder: Builder, blocks: Blocks): void {
  const { channels: inputs, row: xRow, channel: xChannel } = from.layout;
  const { chunk, bytes } = winogradChunk(to.layout, images, inputs, to.layout.channels);
  const room = builder.room(bytes, images);
  builder.emit(images, 'convolveWinograd', {
    ...blocks,
    ...builder.roomFields(room),
    xRow,
    xChannel,
    inputs,
    pixel: to.layout.pixel,
    chunk,
    weights: (run) => run.full(node).weights(direction),
  });
  builder.release(room);
}

/** y = W ∗ x + bias (+ add), then ReLU; batch norm is folded into W and the bias where the graph says so. */
export function forward(node: ConvNode, pass: Forward): void {
  const { x, add, y } = node;
  const { builder } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  const { relu, ...signs } = pass.relu(y, images);
  const biased = node.bias || node.norm !== null;
  convolve({ node, direction: 'forward', from: x, to: y, images }, pass, {
    ...pass.source('x', x, images),
    ...pass.added(add, images),
    ...(add ? pass.targetOver('y', add, y, images) : pass.target('y', y, images)),
    bias: biased ? (run) => run.bias(node) : ZEROS,
    biasStep: biased ? 4 : 0,
    epilogue: relu,
    ...signs,
    ...pass.sumsOf(y, images),
  });
  pass.done(x);
  if (add) pass.done(add);
}

/**
 * dx = Wᵀ ∗ dy, kept where the ReLU of x let it through; the last term of dx adds what others gave before. Gradients of
 * W and the bias follow the chain.
 */
export function backward(node: ConvNode, pass: Backward): void {
  const { x, add, y } = node;
  const d = pass.take(y, true);
  if (!d) return;
  const { builder } = pass;
  const images = d.images ?? builder.imagesFor(x.layout, y.layout);
  if (pass.needs(x)) {
    const before = pass.before(x);
    const over = before && (before.owned || builder.isLeft(before.place));
    const place = over ? before.place : pass.room(x, images);
    const masked = before ? x.relu : pass.masks(x);
    const whole = before !== undefined || pass.only(x);
    convolve({ node, direction: 'transposed', from: y, to: x, images }, pass, {
      ...pass.side('x', d.place, y, images),
      ...(before ? pass.side('add', before.place, x, images) : builder.noSide('add')),
      ...pass.side('y', place, x, images),
      bias: ZEROS,
      biasStep: 0,
      epilogue: masked ? 2 : 0,
      ...(masked ? pass.bits(x, images) : NO_BITS),
      ...(whole ? pass.sumsOf(x, images) : NO_SUMS),
    });
    if (before && before.place !== place) builder.release(before.place);
    pass.add(x, { place, owned: true, masked });
  }
  if (add) pass.share(add, d.place);
  if (pass.wants === 'parameters') {
    const { options } = pass;
    if (node.bias) {
      const sums = pass.channelSums(y, d.place, images, { z: null, masked: true, mean: ZEROS });
      builder.defer((run) => run.biasGradient(node, builder.at(sums.place), sums.tasks));
    }
    if (options.light.has(node.name)) {
      lightGradient(node, d.place, images, pass);
    } else {
      const { x: xAt } = pass.side('x', pass.placeOf(x), x, images);
      const { d: dAt } = pass.side('d', d.place, y, images);
      builder.defer((run) => run.kernelGradients(node, options.batch, xAt, dAt));
    }
  }
  builder.release(d.place);
}

/** The gradient of the kernel, each task's in the chain that wrote dy, then added up. */
function lightGradient(node: ConvNode, d: Place, images: number, pass: Backward): void {
  const { x, y } = node;
  const { builder, options } = pass;
  const norm = pass.placeOf(x).arena === 'saved' ? undefined : pass.normOf(x);
  const place = norm ? again(norm, images, pass) : pass.placeOf(x);
  const sides = { ...pass.side('x', place, x, images), ...pass.side('d', d, y, images) };
  const light = { node, tasks: paddedBatch(options.batch) / images };
  const emit = options.full.has(node.name) ? emitFullGradient : emitSparseGradient;
  emit(light, images, sides, builder);
  if (norm) builder.release(place);
}

function emitFullGradient(light: LightGradient, images: number, sides: Side<'x' | 'd'>, builder: Builder): void {
  const { node, tasks } = light;
  const { geometry } = node;
  const table =
    (field: keyof Tables): Field =>
    (run) =>
      run.full(node).tables('forward')[field];
  const blocks = Math.ceil(images / geometry.y.nb);
  const partials = builder.at(builder.place('constants', partialBytes(geometry, tasks)));
  builder.emit(images, 'weightGradientFull', {
    ...sides,
    ...gradientFields(geometry),
    offsets: table('offsets'),
    sources: table('sources'),
    rowTable: table('rowTable'),
    blocks,
    allBlocks: tasks * blocks,
    ranges: 1,
    partials,
  });
  builder.defer((run) => run.addPartialSums(light, partials));
}

function emitSparseGradient(light: LightGradient, images: number, sides: Side<'x' | 'd'>, builder: Builder): void {
  const { node, tasks } = light;
  const { geometry } = node;
  const rows =
    (field: 'channels' | 'groups' | 'pointers' | 'records' | 'rowTable'): Field =>
    (run) =>
      run.rows(node).forward[field];
  const partial =
    (field: keyof PartialGradients): Field =>
    (run) =>
      run.partialGradients(light)[field];
  builder.emit(images, 'weightGradient', {
    ...sides,
    xBlock: geometry.x.block,
    dBlock: geometry.y.block,
    dRow: geometry.y.row,
    dChannel: geometry.y.channel,
    blocks: 0,
    taskBlocks: Math.ceil(images / geometry.y.nb),
    imageGroups: tasks,
    rows: geometry.y.height,
    tiles: geometry.y.tiles,
    ranges: 1,
    rangeTable: partial('rangeTable'),
    channels: rows('channels'),
    groups: rows('groups'),
    pointers: rows('pointers'),
    records: rows('records'),
    rowTable: rows('rowTable'),
    scratch: partial('scratch'),
    scratchThread: partial('scratchThread'),
    partials: partial('partials'),
    nonzeros: (run) => run.rows(node).nonzeros,
  });
  builder.defer((run) => run.addPartialGradients(light));
}
