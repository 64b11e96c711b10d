// Values of single ONNX operators in forms that exporters write seldom, as ONNX Runtime 1.32 computes them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { withFolder } from './models.ts';
import { encodeModel, integers, type NodeSketch, type TensorSketch, tensor } from './onnx-writer.ts';

interface Graph {
  readonly opset?: number;
  /** From `flat`, a row of pixels, or `image`, to `y`. */
  readonly nodes: readonly NodeSketch[];
  readonly initializers?: readonly TensorSketch[];
}

const floats = (name: string, ...values: number[]): TensorSketch =>
  tensor(name, [values.length], Float32Array.from(values));

const node = (op: string, inputs: string, output: string, attributes?: NodeSketch['attributes']): NodeSketch => ({
  op,
  inputs: inputs.split(' ').map((name) => (name === '-' ? '' : name)),
  outputs: output.split(' '),
  attributes,
});

/** The outputs for one row of pixels. */
const outputs = ({ opset = 18, nodes, initializers = [] }: Graph, row: readonly number[]): Promise<readonly number[]> =>
  withFolder(async (folder) => {
    const path = join(folder, 'net.onnx');
    const ends = [node('Flatten', 'image', 'flat'), ...nodes, node('Flatten', 'y', 'logits')];
    await writeFile(
      path,
      encodeModel({
        opset,
        inputs: [{ name: 'image', shape: [null, 1, 1, row.length] }],
        outputs: [{ name: 'logits', shape: [null, null] }],
        initializers,
        nodes: ends,
      }),
    );
    const target = await loadTarget(path);
    try {
      return tf.tidy(() => Array.from(target.classify(tf.tensor4d([...row], [1, 1, row.length, 1])).dataSync()));
    } finally {
      target.dispose();
    }
  });

const expectNear = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual).to.have.length(expected.length);
  actual.forEach((value, i) => {
    expect(value).to.be.closeTo(expected[i], 1e-5);
  });
};

/** What ONNX Runtime makes of rows of pixels. */
const RESIZED = {
  shrunk: [0.0, 1.0, 2.0, 4.0, 5.0, 7.0, 8.0],
  floors: [
    0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0,
    19.0,
  ],
  ties: [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0, 9.0],
  repeated: [3.08, 4.8],
  excluded: [2.818182, 4.8],
} as const;

const places = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('an ONNX graph computes what ONNX Runtime does:', () => {
  before(() => useBackend('cpu'));

  const resize = (scale: number, attributes: NodeSketch['attributes']): Graph => ({
    nodes: [node('Resize', 'image - scales', 'y', attributes)],
    initializers: [floats('scales', 1, 1, 1, scale)],
  });

  it('sizes and places of a resize in float32', async () => {
    const nearest = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    expectNear(await outputs(resize(0.7, nearest), places(10)), RESIZED.shrunk);
    expectNear(await outputs(resize(1.1, nearest), places(20)), RESIZED.floors);
    const ties = { ...nearest, coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_floor' };
    expectNear(await outputs(resize(1.9, ties), places(10)), RESIZED.ties);
  });

  for (const mode of ['nearest', 'linear', 'cubic']) {
    it(`a copy of an image that keeps its size, ${mode}`, async () => {
      const graph = resize(1.3, { mode, coordinate_transformation_mode: 'half_pixel_symmetric', nearest_mode: 'ceil' });
      expectNear(await outputs(graph, [1, 2, 3]), [1, 2, 3]);
    });
  }

  it('the upper bound of a clip whose bounds are in the wrong order', async () => {
    const graph: Graph = {
      nodes: [node('Clip', 'flat low high', 'y')],
      initializers: [tensor('low', [], Float32Array.of(0.5)), tensor('high', [], Float32Array.of(0.2))],
    };
    expectNear(await outputs(graph, [0, 0.3, 0.6]), [0.2, 0.2, 0.2]);
  });

  const FLOAT = 1;
  /** Numbers in the types of a chain of casts, added to pixels of 0. */
  const casts = (numbers: TensorSketch, ...types: number[]): Graph => ({
    nodes: [
      ...[...types, FLOAT].map((to, i) => node('Cast', i === 0 ? 'numbers' : `cast${i}`, `cast${i + 1}`, { to })),
      node('Add', `flat cast${types.length + 1}`, 'y'),
    ],
    initializers: [numbers],
  });

  it('whole numbers that wrap around to their type', async () => {
    const numbers = integers('numbers', [300, -1, 70000, -129]);
    const zeros = [0, 0, 0, 0];
    const [uint8, int8, uint16, int16, int32] = [2, 3, 4, 5, 6];
    expectNear(await outputs(casts(numbers, uint8), zeros), [44, 255, 112, 127]);
    expectNear(await outputs(casts(numbers, int8), zeros), [44, -1, 112, 127]);
    expectNear(await outputs(casts(numbers, uint16, int32), zeros), [300, 65535, 4464, 65407]);
    expectNear(await outputs(casts(numbers, uint8, int16), zeros), [44, 255, 112, 127]);
  });

  it('arithmetic on bytes', async () => {
    const uint8 = 2;
    const graph: Graph = {
      nodes: [
        node('Cast', 'a', 'bytes', { to: uint8 }),
        node('Add', 'bytes bytes', 'sum'),
        node('Cast', 'sum', 'floats', { to: FLOAT }),
        node('Add', 'flat floats', 'y'),
      ],
      initializers: [integers('a', [200, 3])],
    };
    expectNear(await outputs(graph, [0, 0]), [144, 6]);
  });

  it('no float beyond the range of a whole type, where runtimes differ', async () => {
    const error = await rejection(outputs(casts(floats('numbers', 300.5, 1), 2), [0, 0]));
    expect(error.message).to.contain('Cast').and.contain('expected a number within the range of uint8, got 300.5');
  });

  it('a filter against aliasing that repeats the edge, unless told to leave it out', async () => {
    const row = [5, 1, 2, 8, 4, 3, 9];
    const filter = { mode: 'linear', antialias: 1 };
    expectNear(await outputs(resize(0.4, filter), row), RESIZED.repeated);
    expectNear(await outputs(resize(0.4, { ...filter, exclude_outside: 1 }), row), RESIZED.excluded);
  });

  it('a mask of large weights, made in the graph', async () => {
    const size = 1100;
    const weights = tensor(
      'weights',
      [size],
      Float32Array.from({ length: size }, (_, i) => i - 1),
    );
    const nodes = [
      node('Greater', 'weights one', 'above'),
      node('Not', 'above', 'mask'),
      node('Where', 'mask weights zero', 'kept'),
      node('Mul', 'flat kept', 'y'),
    ];
    const initializers = [weights, floats('one', 1), floats('zero', 0)];
    const y = await outputs({ nodes, initializers }, new Array<number>(size).fill(0.5));
    expectNear(y.slice(0, 5), [-0.5, 0, 0.5, 0, 0]);
  });

  it('whole numbers, by a power and a mean too', async () => {
    const nodes = [
      node('Pow', 'three two', 'nine'),
      node('Div', 'nine four', 'quotient'),
      node('ReduceMean', 'both', 'mean', { keepdims: 0 }),
      node('Add', 'quotient mean', 'sum'),
      node('Cast', 'sum', 'factor', { to: 1 }),
      node('Mul', 'flat factor', 'y'),
    ];
    const initializers = [integers('three', [3]), floats('two', 2), integers('four', [4]), integers('both', [3, 4])];
    expectNear(await outputs({ opset: 13, nodes, initializers }, [0.5, 1]), [2.5, 5]);
  });

  it('0 for the direction of a vector of zeros', async () => {
    for (const p of [1, 2]) {
      expectNear(await outputs({ nodes: [node('LpNormalization', 'flat', 'y', { p })] }, [0, 0]), [0, 0]);
    }
  });
});

describe('an ONNX graph in training mode', () => {
  it('is refused where old operators say so by their outputs', async () => {
    const nodes = [node('BatchNormalization', 'image one one one one', 'y mean variance savedMean savedVariance')];
    const error = await rejection(outputs({ opset: 11, nodes, initializers: [floats('one', 1)] }, [0.5, 1]));
    expect(error.message).to.contain('got training mode: export the model after model.eval()');
  });
});

describe('a choice of values by ONNX', () => {
  before(() => useBackend('cpu'));

  it('gives the largest and the smallest values along an axis in order', async () => {
    const row = [0.3, 0.9, 0.1, 0.5];
    const top = (largest: number): Graph => ({
      nodes: [node('TopK', 'flat count', 'y', { largest })],
      initializers: [integers('count', [3])],
    });
    expect(await outputs(top(1), row)).to.deep.equal([0.9, 0.5, 0.3].map(Math.fround));
    expect(await outputs(top(0), row)).to.deep.equal([0.1, 0.3, 0.5].map(Math.fround));
  });

  it('refuses a graph that goes on from the places of the largest values, and names them', async () => {
    const nodes = [node('TopK', 'flat count', 'values places'), node('Gather', 'flat places', 'y', { axis: 1 })];
    const error = await rejection(outputs({ nodes, initializers: [integers('count', [2])] }, [0.3, 0.9, 0.1]));
    expect(error.message).to.contain('The node Gather').and.to.contain('got places');
  });
});
