// Plans batch norms of a network, forward and backward.
import { rowFields } from '../../records/fields.ts';
import type { Backward, Contribution, Pooled } from '../backward-pass.ts';
import type { Place } from '../builder.ts';
import { type Coefficients, type Forward, NO_BITS, type Sums } from '../forward-pass.ts';
import type { NodeOf, Value } from '../graph.ts';
import { type Field, type PlannedFields, value } from '../plan.ts';
import { pooledGradient, pooledImages, pooledSums } from './max-pool.ts';

type AffineNode = NodeOf<'batchNorm' | 'normalize'>;

/** Channels that one task of a per-channel kernel takes. */
const CHANNEL_CHUNK = 32;
const channelTasks = (channels: number): number => Math.ceil(channels / CHANNEL_CHUNK);

/** The address of a parameter or statistic of a layer. */
const parameter =
  (name: string): Field =>
  (run) =>
    run.tensor(name);

/** What is added to a node's result. */
const addedTo = (node: AffineNode): Value | null => (node.kind === 'batchNorm' ? node.add : null);

/** y = scale · x + shift (+ add), then ReLU. */
function affine(node: AffineNode, { scale, shift }: Coefficients, pass: Forward): void {
  const { x, y } = node;
  const { builder } = pass;
  const add = addedTo(node);
  const images = pass.imagesTo(y);
  builder.emit(images, 'affine', {
    ...pass.source('x', x, images),
    ...pass.added(add, images),
    ...pass.targetOver('y', x, y, images),
    ...rowFields(y.layout, images),
    block: y.layout.block,
    pad: y.layout.padBytes,
    scale,
    shift,
    ...pass.relu(y, images),
  });
  pass.done(x);
  if (add) pass.done(add);
}

/** (x − mean) / std */
export function forwardNormalize(node: NodeOf<'normalize'>, pass: Forward): void {
  const { builder } = pass;
  const { channels } = node.x.layout;
  const [scale, shift] = [builder.floats(channels, pass.persistent), builder.floats(channels, pass.persistent)];
  const numbers: Coefficients = { scale, shift, mean: 0, inverse: 0 };
  builder.first((run) => run.writeNormalization(node, scale, shift));
  affine(node, numbers, pass);
  pass.coefficients.set(node, numbers);
}

/** γ · (x − mean) / √(variance + ε) + β (+ add), by the batch's statistics or the running ones. */
export function forward(node: NodeOf<'batchNorm'>, pass: Forward): void {
  const { name, x } = node;
  const { builder, options } = pass;
  const { batch } = options;
  const { channels, height, width } = x.layout;
  const ofBatch = options.norm === 'batch';
  const floats = (): Field => builder.floats(channels, pass.persistent);
  const [runningMean, runningVariance] = [parameter(`${name}.moving_mean`), parameter(`${name}.moving_variance`)];
  const numbers: Coefficients = {
    mean: ofBatch ? floats() : runningMean,
    inverse: floats(),
    scale: floats(),
    shift: floats(),
  };
  pass.coefficients.set(node, numbers);
  const [movedMean, movedVariance]: Field[] = ofBatch ? [floats(), floats()] : [0, 0];
  if (ofBatch) pass.statistics.set(name, { channels, mean: movedMean, variance: movedVariance });
  const sums = ofBatch ? statistics(x, pass) : undefined;
  const fields: PlannedFields<'normalizationCoefficients'> = {
    sums: sums ? builder.at(sums.place) : 0,
    partCount: sums?.tasks ?? 0,
    imagesPerPart: sums?.images ?? 0,
    images: batch,
    area: height * width,
    channels,
    chunk: CHANNEL_CHUNK,
    runningMean,
    runningVariance,
    movedMean,
    movedVariance,
    gamma: parameter(`${name}.gamma`),
    beta: parameter(`${name}.beta`),
    ...numbers,
  };
  // Where a chain goes on through batch norm, the numbers must be there before it starts.
  if (options.norm === 'folded') builder.emitFirst(channelTasks(channels), 'normalizationCoefficients', fields);
  else builder.emitAlone(channelTasks(channels), 'normalizationCoefficients', fields);
  if (sums) builder.release(sums.place);
  if (!pass.pooledNorm(node.y)) affine(node, numbers, pass);
}

/** Sums for the statistics of `x`: what its kernel left, or those of a pass over it. */
function statistics(x: Value, pass: Forward): Sums {
  if (!pass.sums.has(x)) {
    const images = pass.builder.imagesFor(x.layout);
    pass.builder.emit(images, 'channelStatistics', {
      ...pass.source('x', x, images),
      ...rowFields(x.layout, images),
      block: x.layout.block,
      ...pass.sumsOf(x, images),
    });
  }
  return pass.sums.get(x) as Sums;
}

/** The result again from what was kept, for kernels of the current chain. */
export function again(node: NodeOf<'batchNorm'>, images: number, pass: Backward): Place {
  const { x, y } = node;
  const { builder } = pass;
  const place = builder.localActivations(y.layout, images);
  const { scale, shift } = pass.places.coefficients.get(node) as Coefficients;
  builder.emit(images, 'affine', {
    ...pass.side('x', pass.placeOf(x), x, images),
    ...builder.noSide('add'),
    ...pass.side('y', place, y, images),
    ...rowFields(y.layout, images),
    block: y.layout.block,
    pad: y.layout.padBytes,
    scale,
    shift,
    relu: y.relu ? 1 : 0,
    ...NO_BITS,
  });
  return place;
}

/** dx = a · dy + b · x + c of each channel, with b = c = 0 where the statistics are constants. */
export function backward(node: AffineNode, pass: Backward): void {
  const { x, y } = node;
  const pooled = pass.pooled.get(y);
  if (pooled && node.kind === 'batchNorm') {
    backwardFromPool(node, pooled, pass);
    return;
  }
  const add = addedTo(node);
  const d = pass.take(y, add !== null);
  if (!d) return;
  if (add) pass.share(add, d.place);
  const { builder, options } = pass;
  const images = d.images ?? builder.imagesFor(x.layout);
  const numbers = pass.places.coefficients.get(node) as Coefficients;
  const z = pass.places.values.get(x) ?? null;
  const masked = d.masked || !y.relu;
  const learns = node.kind === 'batchNorm' && (pass.wants === 'parameters' || options.norm === 'batch');
  let factors: { readonly a: Field; readonly b: Field; readonly c: Field } = { a: numbers.scale, b: 0, c: 0 };
  if (learns) {
    const sums = pass.sums.get(y) ?? pass.channelSums(y, d.place, images, { z, masked, mean: numbers.mean });
    factors = learnedFactors(node, numbers, sums, pass);
  }
  if (pass.needs(x)) {
    const place = placeForGradient(node, d, images, pass);
    const constant = factors.b === 0 || z === null;
    builder.emit(images, 'affineGradient', {
      ...pass.side('d', d.place, y, images),
      ...(constant ? builder.noSide('z') : pass.side('z', z, x, images)),
      ...pass.side('y', place, x, images),
      ...rowFields(x.layout, images),
      block: x.layout.block,
      pad: x.layout.padBytes,
      nb: x.layout.nb,
      images: options.batch,
      ...(masked ? NO_BITS : pass.bits(y, images)),
      ...factors,
    });
    pass.add(x, { place, owned: true, masked: false, images });
    if (place !== d.place) builder.release(d.place);
  } else {
    builder.release(d.place);
  }
}

/** The backward pass if a max pooling computed the result itself: the gradient at the chosen pixels is never written out. */
function backwardFromPool(node: NodeOf<'batchNorm'>, pooled: Pooled, pass: Backward): void {
  const { x } = node;
  const { builder } = pass;
  const numbers = pass.places.coefficients.get(node) as Coefficients;
  const z = pass.placeOf(x);
  const sums = pooledSums(pooled, z, numbers.mean, pass);
  const factors = learnedFactors(node, numbers, sums, pass);
  if (pass.needs(x)) {
    const images = pooledImages(pooled, pass);
    const place = pass.passes(x) ? builder.localActivations(x.layout, images) : builder.activations(x.layout);
    pooledGradient(pooled, z, place, factors, pass);
    pass.add(x, { place, owned: true, masked: false, images });
  }
  builder.release(pooled.place);
}

/** Where the gradient of x goes: in the place of that of y, or where only kernels of the current chain read it. */
function placeForGradient({ x }: AffineNode, dy: Contribution, images: number, pass: Backward): Place {
  const { builder } = pass;
  const local = pass.passes(x);
  if (dy.owned && dy.place.users === 1 && local === (dy.place.arena === 'local')) return dy.place;
  return local ? builder.localActivations(x.layout, images) : builder.activations(x.layout);
}

/** The gradients of γ and β from the channels' sums, and the factors of the input gradient. */
function learnedFactors(
  { name, x }: NodeOf<'batchNorm'>,
  { mean, inverse }: Coefficients,
  sums: Sums,
  { builder, options }: Backward,
) {
  const { channels, height, width } = x.layout;
  const floats = (): Field => builder.floats(channels);
  const factors = { a: floats(), b: floats(), c: floats() };
  const unused = floats();
  const gradient =
    (suffix: string): Field =>
    (run) =>
      run.gradient(`${name}.${suffix}`) ?? value(unused, run);
  builder.emitAlone(channelTasks(channels), 'gradientCoefficients', {
    sums: builder.at(sums.place),
    partCount: sums.tasks,
    count: options.norm === 'batch' ? options.batch * height * width : 0,
    channels,
    chunk: CHANNEL_CHUNK,
    mean,
    inverse,
    gamma: parameter(`${name}.gamma`),
    dGamma: gradient('gamma'),
    dBeta: gradient('beta'),
    ...factors,
  });
  builder.release(sums.place);
  return factors;
}
