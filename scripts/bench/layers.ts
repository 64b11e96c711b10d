import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, normal, sample, seedKey } from '../../src/core/key.ts';
import { gatherValues, type Structure, scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import { buildModel } from '../../src/models/index.ts';
import { eachShape, type Layer } from '../../src/ops/network.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { compareLayer } from './agreement.ts';
import type { Context, Section } from './context.ts';
import { FORMATS, timesOf } from './duel.ts';
import { storedTensor } from './nets.ts';
import { type Executed, fastest, profiled } from './profile.ts';
import type { Arrays, Rival } from './rival.ts';
import { geometricMean, median, min, sum } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { SPARSEPROP, verdict } from './targets.ts';
import { fastestOf, milliseconds, type Side, takeTurns } from './turns.ts';

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

/** y, dx and the gradient of the values, as `tf.grads` gives them to anyone. */
function passes(problem: Problem): { y: Tensor; dx: Tensor; dw: Tensor } {
  const { shape, structure, values, x, dy } = problem;
  let y: Tensor | undefined;
  const [dx, dw] = tf.grads((input: Tensor, weights: Tensor) => {
    const output = sparseConv2d(input as Tensor4D, structure, weights as Tensor1D, shape.conv);
    y = tf.keep(tf.clone(output));
    return output;
  })([x, values], dy);
  return { y: y as unknown as Tensor, dx, dw };
}

/** Computes and lets go: a backend may put off what no one reads, so one value of each is read. */
function finish(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) {
    const one = tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
    one.dataSync();
    one.dispose();
  }
  tf.dispose([...tensors]);
}

async function compare(rival: Rival, problem: Problem, side: string): Promise<number> {
  const { y, dx, dw } = passes(problem);
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

const pythonSide = (rival: Rival, side: string): Side => ({
  name: side,
  run: async () => {
    const { forward, backward } = await rival.ask({ do: 'time-layer', side });
    return Number(forward) + Number(backward);
  },
});

const KERNELS = ['convolve', 'weightGradient'] as const;

/** Milliseconds of the kernels themselves, without copying to and from their layout: forward, input, weights. */
async function kernelTimes(problem: Problem, rounds: number): Promise<{ y: number; dx: number; dw: number }> {
  const runs: (readonly Executed[])[] = [];
  for (let i = 0; i <= rounds; i++) runs.push(await profiled(() => finish(Object.values(passes(problem)))));
  const executed = fastest(runs.slice(1));
  const times = (kernel: (typeof KERNELS)[number]): number[] =>
    executed.flatMap(({ call, milliseconds }) => (call.kernel === kernel ? [milliseconds] : []));
  const [y, ...dx] = times('convolve');
  return { y, dx: sum(dx), dw: sum(times('weightGradient')) };
}

interface Measured {
  readonly cells: readonly string[];
  /** Over SparseProp, and of the kernels alone; NaN without it. */
  readonly advantage: number;
  readonly kernelAdvantage: number;
}

async function measure(shape: Shape, sparsity: number, context: Context): Promise<Measured> {
  const { python, rounds, build } = context;
  const problem = problemOf(shape, sparsity, context.batch);
  const { stride, padding } = shape.conv;
  const ours: Side = {
    name: 'equipoise',
    run: () => milliseconds(() => finish(Object.values(passes(problem)))),
  };
  const sides: Side[] = [ours];
  const sparseprop = python?.versions.sparseprop ? ['sparseprop over batch', 'sparseprop over columns'] : [];
  if (python) {
    const file = python.store('layer', {
      x: storedTensor(problem.x),
      dy: storedTensor(problem.dy),
      kernel: {
        dtype: 'F32',
        shape: problem.structure.shape,
        data: scatterValues(problem.structure, problem.values.dataSync()),
      },
    });
    await python.ask({ do: 'layer', file, stride, padding });
    sides.push(...[...FORMATS, ...sparseprop].map((side) => pythonSide(python, side)));
  }
  const times = await takeTurns(sides, rounds, {
    choose: async (warmUp) => {
      const formats = fastestOf(sides, FORMATS)(warmUp);
      const chosen = python && sparseprop.length > 0 ? fastestOf(formats, sparseprop)(warmUp) : formats;
      for (const { name } of chosen) if (python && name !== ours.name) await compare(python, problem, name);
      return chosen;
    },
  });
  const own = timesOf(times, 'equipoise');
  const pytorch = FORMATS.flatMap((format) => timesOf(times, format));
  const rival = timesOf(times, 'sparseprop');
  const kernels = await kernelTimes(problem, rounds);
  dispose(problem);
  const parts = [kernels.y, kernels.dx, kernels.dw].map(number).join(' + ');
  const advantage = min(rival) / min(own);
  const kernelAdvantage = min(rival) / (kernels.y + kernels.dx + kernels.dw);
  const cells = [`${label(shape)}, ${percent(sparsity)}`, number(min(own)), number(median(own)), parts];
  if (pytorch.length > 0) cells.push(number(min(pytorch)), ratio(min(pytorch) / min(own)));
  if (rival.length > 0) {
    cells.push(
      number(min(rival)),
      ratio(advantage),
      ratio(median(rival) / median(own)),
      ratio(kernelAdvantage),
      verdict(advantage, SPARSEPROP[build].each),
    );
  }
  const timed = rival.length > 0;
  return { cells, advantage: timed ? advantage : Number.NaN, kernelAdvantage: timed ? kernelAdvantage : Number.NaN };
}

function headerOf({ python }: Context): string[] {
  const header = ['forward and backward', 'Equipoise min, ms', 'median', 'its kernels y + dx + dw'];
  if (python) header.push('PyTorch min', 'ratio');
  if (python?.versions.sparseprop) {
    header.push('SparseProp min', 'ratio of minima', 'of medians', 'kernels alone', '');
  }
  return header;
}

/** Single layers of VGG16 and ResNet-18, forward and backward, against PyTorch and SparseProp. */
export const layers: Section = {
  name: 'layers',
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
    const timed = measured.filter(({ advantage }) => !Number.isNaN(advantage));
    const advantages = timed.map(({ advantage }) => advantage);
    const ofKernels = timed.map(({ kernelAdvantage }) => kernelAdvantage);
    const { mean } = SPARSEPROP[context.build];
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
            `Against SparseProp, geometric mean over shapes and sparsities: ${ratio(geometricMean(advantages))} (${verdict(geometricMean(advantages), mean)}); smallest ${ratio(min(advantages))}. This is the public op on plain NHWC tensors, copied into blocks and back; its kernels alone, as inside a network: ${ratio(geometricMean(ofKernels))}, smallest ${ratio(min(ofKernels))}.`,
          ]
        : []),
    ].join('\n');
  },
};
