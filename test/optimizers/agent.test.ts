import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import {
  disposeParams,
  disposeTensors,
  isSparse,
  type Param,
  type Params,
  type SparseParam,
  type Tensors,
  trainables,
  withTrainables,
} from '../../src/core/params.ts';
import {
  denseStructure,
  gatherValues,
  maskStructure,
  scatterValues,
  sizeOf,
  structure,
} from '../../src/core/structure.ts';
import { crossEntropy } from '../../src/objectives/losses.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';
import { agent, correctGradient } from '../../src/optimizers/agent.ts';
import { carry, carryMaps, carryState } from '../../src/optimizers/carry.ts';
import {
  AGENT_DEFAULTS,
  blendCoefficient,
  boundEstimate,
  coefficientRules,
  estimateCoefficient,
  publishedBsrCoefficient,
} from '../../src/optimizers/coefficients.ts';
import { applyUpdates, disposeState, sgd } from '../../src/optimizers/sgd.ts';
import { disposeSnapshot, takeSnapshot } from '../../src/optimizers/snapshot.ts';
import { connectedWeights } from '../../src/sparsity/bsr-net.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';

const { tensors } = golden('agent-sgd');
const column = (name: string) => Float32Array.from(tensors[name].data as ArrayLike<number>);
/** The entry of one epoch (or epoch and step) of a stacked trace. */
const entry = (name: string, index: number, size: number) => column(name).subarray(index * size, (index + 1) * size);

const BATCHES = 8;
const EPOCHS = 4;

/** The masked initial network of the traces: 20 → 16 → 4, stored sparse. */
function initialParams(): Params {
  const kernel = (layer: string): SparseParam => {
    const { shape } = tensors[`mask.${layer}`];
    const structure = maskStructure(shape, column(`mask.${layer}`));
    return { structure, values: tf.tensor1d(gatherValues(structure, column(`init.${layer}.kernel`))) };
  };
  return {
    'fc1.kernel': kernel('fc1'),
    'fc1.bias': toTensor(tensors['init.fc1.bias']),
    'fc2.kernel': kernel('fc2'),
    'fc2.bias': toTensor(tensors['init.fc2.bias']),
  };
}

/** A-RigL takes a second random network, dense, as its first snapshot. */
const secondNetwork = (): Params =>
  Object.fromEntries(
    ['fc1.kernel', 'fc1.bias', 'fc2.kernel', 'fc2.bias'].map((name) => [
      name,
      toTensor(tensors[`rigl_snapshot_init.${name}`]),
    ]),
  );

interface Batch {
  readonly x: Tensor2D;
  readonly y: Tensor1D;
}

const batches = (): Batch[] => {
  const x = tf.unstack(toTensor(tensors['data.x'])) as Tensor2D[];
  const y = tf.unstack(toTensor(tensors['data.y'])) as Tensor1D[];
  return x.map((images, b) => ({ x: images, y: tf.cast(y[b], 'int32') }));
};

function lossOf(params: Params, { x, y }: Batch): Scalar {
  const layer = (name: string, input: Tensor2D) => {
    const kernel = params[`${name}.kernel`];
    const product = isSparse(kernel)
      ? sparseMatMul(input, kernel.structure, kernel.values)
      : tf.matMul(input, kernel as Tensor2D);
    return tf.add(product, params[`${name}.bias`] as Tensor) as Tensor2D;
  };
  return tf.tidy(() => crossEntropy(layer('fc2', tf.relu(layer('fc1', x))), y));
}

function gradientOf(params: Params, batch: Batch): { loss: number; gradient: Tensors } {
  const names = Object.keys(params);
  const f = (...values: Tensor[]) =>
    lossOf(withTrainables(params, Object.fromEntries(names.map((name, i) => [name, values[i]]))), batch);
  const { value, grads } = tf.valueAndGrads(f)(Object.values(trainables(params)));
  const loss = value.dataSync()[0];
  value.dispose();
  return { loss, gradient: Object.fromEntries(names.map((name, i) => [name, grads[i]])) };
}

const lossNumber = (params: Params, batch: Batch): number => tf.tidy(() => lossOf(params, batch).dataSync()[0]);

const norm = (tree: Tensors): number =>
  tf.tidy(() => Math.sqrt(tf.addN(Object.values(tree).map((t) => tf.sum(tf.square(t)))).dataSync()[0]));

/** The trace's update on the mask: the nonzeros of a kernel, or a bias. */
const onStructure = (params: Params, name: string, dense: Float32Array): Float32Array => {
  const param = params[name];
  return isSparse(param) ? gatherValues(param.structure, dense) : dense;
};

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) {
  expect(actual.length, what).to.equal(expected.length);
  for (let i = 0; i < actual.length; i++) expect(actual[i], `${what}[${i}]`).to.be.closeTo(expected[i], 1e-5);
}

describe('agent beside the official code', () => {
  before(() => useBackend('cpu'));

  for (const { trace, nesterov, scope, first } of [
    { trace: 'itop_clean', nesterov: false, scope: 'all', first: initialParams },
    { trace: 'itop_clean_nesterov', nesterov: true, scope: 'all', first: initialParams },
    { trace: 'rigl_asis', nesterov: false, scope: 'kernels', first: secondNetwork },
    { trace: 'rigl_asis_nesterov', nesterov: true, scope: 'kernels', first: secondNetwork },
  ] as const) {
    it(`follows the trace ${trace}: losses, coefficients, corrected gradients and weights`, () => {
      const data = batches();
      const optimizer = agent({ momentum: 0.9, nesterov, weightDecay: 5e-4, scope });
      let params = initialParams();
      let state = optimizer.init(trainables(params));
      let snapshot = { params: first(), state: {} };
      let c: number = AGENT_DEFAULTS.initial;
      for (let epoch = 0; epoch < EPOCHS; epoch++) {
        const lossesSnapshot = data.map((batch) => lossNumber(snapshot.params, batch));
        const prePass = data.map((batch) => gradientOf(params, batch));
        const lossesNow = prePass.map(({ loss }) => loss);
        expectClose(lossesNow, entry(`${trace}.losses_now`, epoch, BATCHES), `losses_now ${epoch}`);
        expectClose(lossesSnapshot, entry(`${trace}.losses_snapshot`, epoch, BATCHES), `losses_snapshot ${epoch}`);

        const estimate = estimateCoefficient(lossesNow, lossesSnapshot);
        c = blendCoefficient(c, estimate, AGENT_DEFAULTS.alpha);
        expectClose(
          [estimate.value ?? Number.NaN, c],
          [column(`${trace}.c_hat`)[epoch], column(`${trace}.c`)[epoch]],
          `c ${epoch}`,
        );
        const coefficient = coefficientRules.agent.coefficient({ c, gamma: AGENT_DEFAULTS.gamma, progress: 0 });

        const meanOf = (name: string) => tf.div(tf.addN(prePass.map(({ gradient }) => gradient[name])), BATCHES);
        const snapshotMean = tf.tidy(() => Object.fromEntries(Object.keys(params).map((name) => [name, meanOf(name)])));
        for (const { gradient } of prePass) disposeTensors(gradient);
        disposeSnapshot(snapshot);
        snapshot = takeSnapshot(params, {});

        for (const [b, batch] of data.entries()) {
          const { loss, gradient } = gradientOf(params, batch);
          const { gradient: snapshotGradient } = gradientOf(snapshot.params, batch);
          const correction = { snapshotGradient, snapshotMean, coefficient };
          const corrected = correctGradient(gradient, correction);
          const at = epoch * BATCHES + b;
          expectClose(
            [loss, norm(corrected)],
            [column(`${trace}.step_loss`)[at], column(`${trace}.grad_norm_masked`)[at]],
            `step ${at}`,
          );
          const step = optimizer.update(gradient, state, trainables(params), { learningRate: 0.1, correction });
          const moved = applyUpdates(params, step.updates);
          for (const tree of [gradient, snapshotGradient, corrected, step.updates]) disposeTensors(tree);
          disposeState(state);
          disposeParams(params);
          params = moved;
          state = step.state;
        }
        for (const [name, tensor] of Object.entries(trainables(params))) {
          const size = tensors[`init.${name}`].shape.reduce((product, extent) => product * extent, 1);
          expectClose(
            tensor.dataSync(),
            onStructure(params, name, entry(`${trace}.${name}`, epoch, size)),
            `${name} ${epoch}`,
          );
        }
        disposeTensors(snapshotMean);
      }
      disposeSnapshot(snapshot);
      disposeParams(params);
      disposeState(state);
      for (const batch of data) tf.dispose([batch.x, batch.y]);
    });
  }

  it('reproduces the trace bsr: θ with fixed signs, decoupled decay, the coefficient that is a schedule', async () => {
    const data = batches();
    const sign = { 'fc1.kernel': column('bsr.fc1.sign'), 'fc2.kernel': column('bsr.fc2.sign') } as const;
    const signOf = (kernel: string) => (position: number) => (sign[kernel as keyof typeof sign][position] > 0 ? 1 : -1);
    const initial = initialParams();
    let params: Params = { ...initial };
    for (const [name, layer] of [
      ['fc1.kernel', 'fc1'],
      ['fc2.kernel', 'fc2'],
    ] as const) {
      const theta = column(`bsr.init.${layer}.theta`);
      const { shape } = tensors[`bsr.init.${layer}.theta`];
      const { positions, values } = connectedWeights(
        denseStructure(shape),
        theta.map((x, i) => sign[name][i] * x),
        signOf(name),
      );
      tf.dispose((initial[name] as SparseParam).values);
      params = { ...params, [name]: { structure: structure(shape, positions), values: tf.tensor1d(values) } };
    }
    const LEARNING_RATE = 0.1;
    // There the decay is not multiplied by the learning rate.
    const optimizer = agent({ momentum: 0.9, weightDecay: 5e-4 / LEARNING_RATE, decay: 'decoupled' });
    let state = optimizer.init(trainables(params));
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      const snapshot = takeSnapshot(params, {});
      const prePass = data.map((batch) => gradientOf(params, batch));
      const losses = prePass.map(({ loss }) => loss);
      expectClose(losses, entry('bsr.losses_now', epoch, BATCHES), `losses ${epoch}`);
      expectClose(losses, entry('bsr.losses_snapshot', epoch, BATCHES), `snapshot losses ${epoch}`);
      expect(estimateCoefficient(losses, losses).value).to.be.closeTo(1, 1e-12);
      const c = publishedBsrCoefficient(epoch, AGENT_DEFAULTS.alpha);
      expect(c).to.be.closeTo(column('bsr.c')[epoch], 1e-6);
      const coefficient = coefficientRules.agent.coefficient({ c, gamma: AGENT_DEFAULTS.gamma, progress: 0 });
      const meanOf = (name: string) => tf.div(tf.addN(prePass.map(({ gradient }) => gradient[name])), BATCHES);
      const mean = tf.tidy(() => Object.fromEntries(Object.keys(params).map((name) => [name, meanOf(name)])));
      for (const { gradient } of prePass) disposeTensors(gradient);

      let whole = true;
      for (const [b, batch] of data.entries()) {
        const { loss, gradient } = gradientOf(params, batch);
        const { gradient: onSnapshot } = gradientOf(snapshot.params, batch);
        const maps = carryMaps(snapshot.params, params);
        const correction = { snapshotGradient: carry(onSnapshot, maps), snapshotMean: carry(mean, maps), coefficient };
        const corrected = correctGradient(gradient, correction);
        const at = epoch * BATCHES + b;
        expect(loss).to.be.closeTo(column('bsr.step_loss')[at], 1e-5);
        // There the correction goes on at weights that are gone.
        if (whole || c === 0) expect(norm(corrected)).to.be.closeTo(column('bsr.grad_norm')[at], 1e-5);
        const step = optimizer.update(gradient, state, trainables(params), { learningRate: LEARNING_RATE, correction });
        const moved = applyUpdates(params, step.updates);
        const alive: Record<string, Param> = {};
        const stays: Record<string, Int32Array> = {};
        for (const [name, param] of Object.entries(moved)) {
          if (!isSparse(param)) {
            alive[name] = param;
            continue;
          }
          const values = param.values.dataSync() as Float32Array;
          const connected = connectedWeights(param.structure, values, signOf(name));
          const { positions, from } = connected;
          whole &&= from.length === values.length;
          alive[name] = {
            structure: structure(param.structure.shape, positions),
            values: tf.tensor1d(connected.values),
          };
          stays[name] = from;
          param.values.dispose();
        }
        const carried = carryState(step.state, stays);
        for (const tree of [gradient, onSnapshot, correction.snapshotGradient, correction.snapshotMean, corrected]) {
          disposeTensors(tree);
        }
        disposeTensors(step.updates);
        for (const old of [state, step.state]) disposeState(old);
        disposeParams(params);
        params = alive;
        state = carried;
      }
      const connected = ['fc1.kernel', 'fc2.kernel'].map((name) => (params[name] as SparseParam).values.size);
      expect(connected).to.deep.equal([...entry('bsr.connected', epoch, 2)]);
      for (const layer of ['fc1', 'fc2'] as const) {
        const { structure: at, values } = params[`${layer}.kernel`] as SparseParam;
        const theta = entry(`bsr.${layer}.theta`, epoch, sizeOf(at.shape));
        const expected = theta.map((x, i) => Math.max(x, 0) * sign[`${layer}.kernel`][i]);
        expectClose(scatterValues(at, values.dataSync()), expected, `${layer} ${epoch}`);
        const bias = entry(`bsr.${layer}.bias`, epoch, at.shape[1]);
        expectClose((params[`${layer}.bias`] as Tensor).dataSync(), bias, `${layer}.bias ${epoch}`);
      }
      disposeSnapshot(snapshot);
      disposeTensors(mean);
    }
    disposeParams(params);
    disposeState(state);
    for (const batch of data) tf.dispose([batch.x, batch.y]);
  });

  it('leaks no tensors over a step', () => {
    const [batch] = batches();
    const optimizer = agent({ momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'decoupled' });
    const params = initialParams();
    const state = optimizer.init(trainables(params));
    const { gradient } = gradientOf(params, batch);
    const correction = { snapshotGradient: gradient, snapshotMean: gradient, coefficient: 1 };
    const count = tf.memory().numTensors;
    const step = optimizer.update(gradient, state, trainables(params), { learningRate: 0.1, correction });
    expect(tf.memory().numTensors).to.equal(count + 2 * Object.keys(params).length);
    disposeTensors(step.updates);
    disposeState(step.state);
    expect(tf.memory().numTensors).to.equal(count);
    expect(gradient['fc1.bias'].isDisposed).to.equal(false);
  });

  it('is sgd, bit for bit, without a correction', () => {
    const options = { momentum: 0.9, nesterov: true, weightDecay: 5e-4 };
    const params = { 'a.kernel': tf.tensor1d([1, -2, 3]) };
    const gradient = { 'a.kernel': tf.tensor1d([0.1, 0.2, -0.7]) };
    const plain = sgd(options);
    const corrected = agent(options);
    const extra = { learningRate: 0.1, correction: null };
    const a = plain.update(gradient, plain.init(params), params, extra).updates['a.kernel'].dataSync();
    const b = corrected.update(gradient, corrected.init(params), params, extra).updates['a.kernel'].dataSync();
    expect(b).to.deep.equal(a);
  });
});

describe('the correction', () => {
  before(() => useBackend('cpu'));

  it('sums to 0 over the batches whose gradients u is the mean of', () => {
    tf.tidy(() => {
      const params = initialParams();
      const all = batches().map((batch) => gradientOf(params, batch).gradient);
      for (const name of Object.keys(params)) {
        const perBatch = all.map((gradient) => gradient[name]);
        const snapshotMean = { [name]: tf.div(tf.addN(perBatch), BATCHES) };
        const zero = { [name]: tf.zerosLike(perBatch[0]) };
        const corrections = perBatch.map(
          (g) => correctGradient(zero, { snapshotGradient: { [name]: g }, snapshotMean, coefficient: 0.5 })[name],
        );
        const sum = tf.addN(corrections).dataSync();
        expectClose(sum, new Float32Array(sum.length), name);
        expect(norm({ [name]: corrections[0] })).to.be.greaterThan(1e-3);
      }
    });
  });

  it('with coefficient 1 at the snapshot itself makes every gradient the mean one', () => {
    const gradient = { a: tf.tensor1d([1, -2]) };
    const snapshotMean = { a: tf.tensor1d([0.25, 0.5]) };
    const corrected = correctGradient(gradient, { snapshotGradient: gradient, snapshotMean, coefficient: 1 });
    expect([...corrected.a.dataSync()]).to.deep.equal([0.25, 0.5]);
  });

  it('is refused for a coefficient that is no number or that a parameter lacks', () => {
    const gradient = { a: tf.tensor1d([1, -2]) };
    const shared = { snapshotGradient: gradient, snapshotMean: gradient };
    const corrected = (coefficient: number | Record<string, number>) => () =>
      correctGradient(gradient, { ...shared, coefficient });
    expect(corrected(Number.NaN)).to.throw(InputError, 'coefficient: expected a finite number, got NaN');
    expect(corrected({ b: 1 })).to.throw(InputError, 'coefficient of a: expected a finite number, got nothing');
  });
});

describe('the coefficient', () => {
  it('is the covariance over the variance', () => {
    expect(estimateCoefficient([1, 2, 4], [2, 4, 8])).to.deep.equal({ value: 0.5 });
    expect(estimateCoefficient([3, 1], [1, 3])).to.deep.equal({ value: -1 });
  });

  it('is bounded only by bounds in their order', () => {
    expect(boundEstimate({ value: 3 }, [0, 1])).to.deep.equal({ value: 1 });
    expect(() => boundEstimate({ value: 3 }, [1, 0])).to.throw(InputError, '[lowest ĉ, highest ĉ], got [1, 0]');
  });

  it('needs both losses of each batch', () => {
    for (const [now, before] of [
      [
        [1, 2],
        [1, 2, 3],
      ],
      [
        [1, 2, 3],
        [1, 2],
      ],
    ]) {
      expect(() => estimateCoefficient(now, before)).to.throw(
        InputError,
        /two losses of each batch, got \d of the weights/,
      );
    }
  });

  it('stays where the losses say nothing, and why is told', () => {
    const single = estimateCoefficient([1], [2]);
    expect(single).to.have.property('reason').that.includes('at least 2 batches');
    const constant = estimateCoefficient([1, 2, 4], [0.7, 0.7, 0.7]); // whose mean is not quite 0.7
    expect(constant).to.have.property('reason').that.includes('same on every batch');
    const infinite = estimateCoefficient([1, Number.NaN], [1, 2]);
    expect(infinite).to.have.property('reason').that.includes('not finite');
    const close = estimateCoefficient([1, 2, 4], [1e-170, 2e-170, 3e-170]); // whose squares are 0
    expect(close).to.have.property('reason').that.includes('differ too little');
    for (const estimate of [single, constant, infinite, close])
      expect(blendCoefficient(0.25, estimate, 0.3)).to.equal(0.25);
    expect(blendCoefficient(0.1, { value: 1 }, 0.3)).to.be.closeTo(0.37, 1e-15);
  });

  it('is γ·c for agent, 1 for svrg, falls from 0.75 to 0 for alpha-svrg', () => {
    const at = (progress: number) => ({ c: 0.5, gamma: 0.1, progress });
    expect(coefficientRules.agent.coefficient(at(0.5))).to.equal(0.05);
    expect(coefficientRules.svrg.coefficient(at(0.5))).to.equal(1);
    expect([0, 0.5, 1].map((p) => coefficientRules['alpha-svrg'].coefficient(at(p)))).to.deep.equal([0.75, 0.375, 0]);
    expect(coefficientRules.sgd.corrects).to.equal(false);
  });
});
