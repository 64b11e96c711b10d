// Times single convolutions against PyTorch and SparseProp.
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, normal, sample, seedKey } from '../../src/core/key.ts';
import { gatherValues, type Structure, scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import type { KernelName } from '../../src/engine/records/records.ts';
import { buildModel } from '../../src/models/models.ts';
import { eachShape, type Layer } from '../../src/ops/network.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { compareLayer } from './agreement.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { FORMATS, JUDGED, timesOf } from './duel.ts';
import { storedTensor } from './nets.ts';
import { type Executed, fastest, profiled } from './profile.ts';
import type { Arrays, Rival } from './rival.ts';
import { geometricMean, median, min, sum } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { SPARSEPROP, verdict } from './targets.ts';
import { fastestOf, milliseconds, ofShortWork, type Side, takeTurns } from './turns.ts';

export interface Shape {
  readonly height: number;
  readonly conv: Extract<Layer, { kind: 'conv' }>;
}

/** The convolutions of a network that are worth making sparse, each shape once. */
export function shapesOf(model: string, width = 1): Shape[] {
  const { layers, inputShape } = buildModel(model, { inputShape: [32, 32, 3], classes: 10, width });
  const shapes = [...eachShape(layers, inputShape)].flatMap(({ layer, input }) =>
    layer.kind === 'conv' && layer.inputs > 3 ? [{ height: input[0], conv: layer }] : [],
  );
  return distinct(shapes);
}

export const label = ({ height, conv: { inputs, filters, size, stride } }: Shape): string =>
  `${inputs}→${filters} at ${height}×${height}, ${size}×${size}${stride > 1 ? ` stride ${stride}` : ''}`;

const distinct = (shapes: readonly Shape[]): Shape[] => [
  ...new Map(shapes.map((shape) => [label(shape), shape])).values(),
];

/** A layer with its input and the gradient of its output. */
interface Problem {
  readonly shape: Shape;
  readonly structure: Structure;
  readonly values: Tensor1D;
  readonly x: Tensor4D;
  readonly dy: Tensor4D;
}

const KEY = seedKey('bench layers');

function problemOf(shape: Shape, sparsity: number, batch: number): Problem {
  const { height, conv } = shape;
  const kernelShape = [conv.size, conv.size, conv.inputs, conv.filters];
  const size = sizeOf(kernelShape);
  const count = Math.round((1 - sparsity) * size);
  const output = Math.floor((height + 2 * conv.padding - conv.size) / conv.stride) + 1;
  const random = (name: string, ...dimensions: [number, number, number, number]): Tensor4D =>
    tf.tensor4d(Float32Array.from(normal(foldIn(KEY, name), sizeOf(dimensions))), dimensions);
  const scale = Math.sqrt(2 / (conv.size ** 2 * conv.inputs * (1 - sparsity)));
  return {
    shape,
    structure: structure(kernelShape, sample(foldIn(KEY, 'mask'), count, size)),
    values: tf.tensor1d(Float32Array.from(normal(foldIn(KEY, 'values'), count), (value) => scale * value)),
    x: random('x', batch, height, height, conv.inputs),
    dy: random('dy', batch, output, output, conv.filters),
  };
}

const dispose = ({ values, x, dy }: Problem): void => tf.dispose([values, x, dy]);

/**
 * Where x and dy come from, and y and dx go to: plain tensors, read as such, or other ops of the engine, which pass images on
 * in its own order.
 */
const PLACES = ['plain', 'chain'] as const;
type Place = (typeof PLACES)[number];

/** A convolution that changes nothing. */
function copied(x: Tensor4D): Tensor4D {
  const channels = x.shape[3];
  const diagonal = Int32Array.from({ length: channels }, (_, i) => i * (channels + 1));
  return sparseConv2d(x, structure([1, 1, channels, channels], diagonal), tf.ones([channels]), {
    stride: 1,
    padding: 0,
  });
}

interface Given {
  readonly x: Tensor4D;
  readonly dy: Tensor4D;
  readonly values: Tensor1D;
}

/**
 * Tensors as no one has read them yet: a copy of x or dy in another order may be kept with the tensor, and the records that
 * kernels read are made of new values, which a training step has each time.
 */
const given = ({ x, dy, values }: Problem, place: Place): Given =>
  tf.tidy(() => ({
    ...(place === 'chain'
      ? { x: copied(x), dy: copied(dy) }
      : { x: tf.add<Tensor4D>(x, 0), dy: tf.add<Tensor4D>(dy, 0) }),
    values: tf.add<Tensor1D>(values, 0),
  }));

interface Results {
  readonly y: Tensor;
  readonly dx: Tensor;
  readonly dw: Tensor;
}

/** y, dx and the gradient of the values, as `tf.grads` gives them to anyone. */
function passes({ shape, structure }: Problem, { x, dy, values }: Given): Results {
  let y: Tensor | undefined;
  const [dx, dw] = tf.grads((input: Tensor, weights: Tensor) => {
    const output = sparseConv2d(input as Tensor4D, structure, weights as Tensor1D, shape.conv);
    y = tf.keep(tf.clone(output));
    return output;
  })([x, values], dy);
  return { y: y as unknown as Tensor, dx, dw };
}

/** Lets go of the results. Of plain ones a value each is read: a backend may put off what no one reads. */
function finish({ y, dx, dw }: Results, place: Place): void {
  for (const tensor of place === 'plain' ? [y, dx, dw] : [dw]) {
    const one = tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
    one.dataSync();
    one.dispose();
  }
  tf.dispose([y, dx, dw]);
}

/** What `run` gives on tensors of its own. */
async function withGiven<T>(problem: Problem, place: Place, run: (inputs: Given) => T | Promise<T>): Promise<T> {
  const inputs = given(problem, place);
  try {
    return await run(inputs);
  } finally {
    tf.dispose([inputs.x, inputs.dy, inputs.values]);
  }
}

async function compare(rival: Rival, problem: Problem, side: string, place: Place): Promise<number> {
  const { y, dx, dw } = await withGiven(problem, place, (inputs) => passes(problem, inputs));
  const ours: Arrays = {
    y: y.dataSync() as Float32Array,
    dx: dx.dataSync() as Float32Array,
    dw: dw.dataSync() as Float32Array,
  };
  tf.dispose([y, dx, dw]);
  const theirs = await rival.askForTensors({ do: 'check-layer', side });
  return compareLayer(`${label(problem.shape)} (${side})`, ours, {
    ...theirs,
    dw: gatherValues(problem.structure, theirs.dw),
  });
}

/** SparseProp's two kernels on NCHW tensors, and one on tensors in its own order. */
const SPARSEPROP_NCHW = ['sparseprop over batch', 'sparseprop over columns'];
const SPARSEPROP_OWN_ORDER = 'batch-last sparseprop';

const nameOf = (place: Place): string => `equipoise, ${place}`;

const ourSide = (problem: Problem, place: Place): Side => ({
  name: nameOf(place),
  run: () => withGiven(problem, place, (inputs) => milliseconds(() => finish(passes(problem, inputs), place))),
});

const pythonSide = (rival: Rival, side: string): Side => ({
  name: side,
  run: async () => {
    const { forward, backward } = await rival.ask({ do: 'time-layer', side });
    return Number(forward) + Number(backward);
  },
});

interface KernelTimes {
  readonly y: number;
  readonly dx: number;
  readonly dw: number;
  /** Writing new values into the records that the kernels read. */
  readonly records: number;
}

/** Milliseconds of the kernels themselves in a chain. */
async function kernelTimes(problem: Problem, rounds: number): Promise<KernelTimes> {
  const runs: (readonly Executed[])[] = [];
  for (let i = 0; i <= rounds; i++) {
    const run = (inputs: Given) => profiled(() => finish(passes(problem, inputs), 'chain'));
    runs.push(await withGiven(problem, 'chain', run));
  }
  const executed = fastest(runs.slice(1));
  const times = (...kernels: readonly KernelName[]): number[] =>
    executed.flatMap(({ call, milliseconds }) => (kernels.includes(call.kernel) ? [milliseconds] : []));
  const [y, ...dx] = times('convolve');
  return { y, dx: sum(dx), dw: sum(times('weightGradient')), records: sum(times('fillRows', 'fillTransposed')) };
}

/** How many times as long SparseProp takes: as ours, and with both given and giving their own order. */
interface Advantage extends Readonly<Record<Place, number>> {
  readonly ownOrders: number;
}

/** PyTorch and SparseProp on a layer, each in its fastest form, after they were seen to compute the same. */
async function rivalsOf(problem: Problem, python: Rival): Promise<Side[]> {
  const { shape, structure, x, dy, values } = problem;
  const file = python.store('layer', {
    x: storedTensor(x),
    dy: storedTensor(dy),
    kernel: { dtype: 'F32', shape: structure.shape, data: scatterValues(structure, values.dataSync()) },
  });
  const { stride, padding } = shape.conv;
  await python.ask({ do: 'layer', file, stride, padding });
  const fastestForm = (names: readonly string[]): Promise<Side> =>
    fastestOf(
      names.map((name) => pythonSide(python, name)),
      JUDGED,
    );
  const sides = [await fastestForm(FORMATS)];
  if (python.versions.sparseprop)
    sides.push(await fastestForm(SPARSEPROP_NCHW), pythonSide(python, SPARSEPROP_OWN_ORDER));
  for (const { name } of sides) for (const place of PLACES) await compare(python, problem, name, place);
  return sides;
}

interface Measured {
  readonly cells: readonly string[];
  /** Undefined without SparseProp. */
  readonly advantage: Advantage | undefined;
}

async function measure(shape: Shape, sparsity: number, context: Context): Promise<Measured> {
  const { python, rounds, build, judge } = context;
  const problem = problemOf(shape, sparsity, context.batch);
  const ours = PLACES.map((place) => ourSide(problem, place));
  const theirs = python ? await rivalsOf(problem, python) : [];
  const times = await takeTurns([...ours, ...theirs].map(ofShortWork), rounds);
  const kernels = await kernelTimes(problem, rounds);
  dispose(problem);
  const [plain, chain] = PLACES.map((place) => timesOf(times, nameOf(place)));
  const pytorch = FORMATS.flatMap((format) => timesOf(times, format));
  const rival = timesOf(times, 'sparseprop');
  const parts = [kernels.y, kernels.dx, kernels.dw, kernels.records].map(number).join(' + ');
  const cells = [`${label(shape)}, ${percent(sparsity)}`, number(min(chain)), number(median(chain)), parts];
  if (pytorch.length > 0) cells.push(number(min(pytorch)), ratio(min(pytorch) / min(chain)));
  if (rival.length === 0) return { cells: [...cells, number(min(plain))], advantage: undefined };

  const ownOrder = Math.min(min(rival), min(timesOf(times, SPARSEPROP_OWN_ORDER)));
  const advantage: Advantage = {
    chain: min(rival) / min(chain),
    plain: min(rival) / min(plain),
    ownOrders: ownOrder / min(chain),
  };
  cells.push(number(min(rival)), ratio(advantage.chain), ratio(median(rival) / median(chain)));
  judge(`${cells[0]}, over SparseProp`, verdict(advantage.chain, SPARSEPROP[build].each));
  cells.push(number(ownOrder), ratio(advantage.ownOrders));
  cells.push(number(min(plain)), ratio(advantage.plain));
  return { cells, advantage };
}

function headerOf({ python }: Context): string[] {
  const header = ['forward and backward', 'in a chain: min, ms', 'median', 'its kernels y + dx + dw + records'];
  if (python) header.push('PyTorch min', 'ratio');
  if (!python?.versions.sparseprop) return [...header, 'plain: min, ms'];
  header.push('SparseProp min', 'ratio of minima', 'of medians', 'SparseProp, batch last', 'ratio');
  return [...header, 'plain: min, ms', 'SparseProp / plain'];
}

/** Single layers of VGG16 and ResNet-18, forward and backward, against PyTorch and SparseProp. */
export const layers: Section = {
  name: 'layers',
  conditions: inRounds,
  run: async (context) => {
    const shapes = distinct(['vgg16', 'resnet18'].flatMap((model) => shapesOf(model, context.width)));
    const measured: Measured[] = [];
    for (const shape of shapes) {
      for (const sparsity of context.sparsities.filter((value) => value > 0)) {
        measured.push(await measure(shape, sparsity, context));
      }
      context.log(`  ${label(shape)} timed`);
    }
    await context.python?.ask({ do: 'unload' });
    const advantages = measured.flatMap(({ advantage }) => advantage ?? []);
    const over = (side: keyof Advantage): string => {
      const ratios = advantages.map((advantage) => advantage[side]);
      return `${ratio(geometricMean(ratios))}, smallest ${ratio(min(ratios))}`;
    };
    const inChain = geometricMean(advantages.map(({ chain }) => chain));
    if (advantages.length > 0)
      context.judge('geometric mean over SparseProp', verdict(inChain, SPARSEPROP[context.build].mean));
    return [
      '### Single layers',
      '',
      markdownTable(
        headerOf(context),
        measured.map(({ cells }) => cells),
      ),
      '',
      ...(advantages.length > 0
        ? [
            `Against SparseProp, geometric means over shapes and sparsities: in a chain ${over('chain')}; in a chain, and SparseProp in one without batch norm and pooling, ${over('ownOrders')}; from and to plain tensors ${over('plain')}.`,
          ]
        : []),
    ].join('\n');
  },
};
