import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  type Params,
  type SparseParam,
} from '../../src/core/params.ts';
import { denseStructure, gatherValues, scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';
import { bsrNet, connectedWeights, drawKernels, NEW_THETA, startBsrNet } from '../../src/sparsity/bsr-net.ts';
import { fixedSigns, type SignOf } from '../../src/sparsity/signs.ts';
import { startNetwork } from '../../src/sparsity/start-network.ts';
import { useBackend } from '../backend.ts';
import { golden } from '../golden.ts';

const { json, tensors } = golden('sparsity') as {
  json: {
    bsr_rewiring: {
      layer_sizes: readonly number[];
      connected_before: readonly number[];
      to_reconnect_total: number;
      categorical_probabilities: readonly number[];
    };
  };
  tensors: ReturnType<typeof golden>['tensors'];
};
const column = (name: string) => Float32Array.from(tensors[name].data as ArrayLike<number>);

const SHAPES = { 'a.kernel': [3, 3, 2, 4], 'b.kernel': [3, 3, 4, 8], 'c.kernel': [72, 5], 'c.bias': [5] };
const denseNetwork = () =>
  Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => [name, tf.tensor(normal(seedKey(name), sizeOf(shape)), shape)]),
  );
const KERNELS = Object.entries(SHAPES).flatMap(([name, shape]) => (name.endsWith('.kernel') ? [{ name, shape }] : []));
const signs = fixedSigns(seedKey('signs'));
const signOf = (name: string, { structure }: SparseParam): SignOf => signs(name, sizeOf(structure.shape));
const sparse = (params: Params) =>
  Object.entries(params).flatMap(([name, param]) => (isSparse(param) ? [[name, param] as const] : []));
const thetas = (params: Params) =>
  sparse(params).flatMap(([name, param]) =>
    [...param.values.dataSync()].map((value, i) => signOf(name, param)(param.structure.positions[i]) * value),
  );
const network = (key = seedKey(1)) => {
  const dense = denseNetwork();
  return startNetwork(dense, {
    method: 'bsr-net',
    kernels: KERNELS,
    distribution: 'erk',
    sparsity: 0.8,
    signs,
    key,
  }).finally(() => disposeTensors(dense));
};

/** Every weight moved by `scale` · N(0, 1): a step that carries some across 0. */
const moved = (params: Params, step: number, scale: number): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, param]) => {
      if (!isSparse(param)) return [name, tf.clone(param)];
      const noise = normal(foldIn(seedKey(step), name), param.values.size);
      const values = param.values.dataSync().map((value, i) => value + scale * noise[i]);
      return [name, { structure: param.structure, values: tf.tensor1d(values) }];
    }),
  );

describe('bsr-net beside the reference code', () => {
  before(() => useBackend('cpu'));

  for (const name of ['bsr0', 'bsr1', 'bsr2']) {
    const [theta, sign] = [column(`${name}.theta`), column(`${name}.sign`)];
    const { shape } = tensors[`${name}.theta`];
    const all = denseStructure(shape);
    const connected = connectedWeights(
      all,
      theta.map((x, i) => sign[i] * x),
      (position) => (sign[position] > 0 ? 1 : -1),
    );
    const at = structure(shape, connected.positions);
    const noZeroSigns = (xs: Float32Array) => xs.map((x) => x + 0);

    it(`${name}: the weights are those of θ and its sign`, () => {
      expect(scatterValues(at, connected.values)).to.deep.equal(noZeroSigns(column(`${name}.weights`)));
      expect(connected.positions.length).to.be.within(1, theta.length - 1);
    });

    it(`${name}: sign times the gradient at the nonzeros is the gradient of θ`, () => {
      // L = Σ upstream · W, whose gradient with respect to W is `upstream`.
      const flat = { shape: [1, sizeOf(shape)], positions: connected.positions };
      const upstream = tf.tensor2d(column(`${name}.upstream`), flat.shape as [number, number]);
      const values = tf.tensor1d(connected.values);
      const gradient = tf.tidy(() =>
        tf
          .grad((w) => tf.sum(tf.mul(sparseMatMul(tf.ones([1, 1]), flat, w as tf.Tensor1D), upstream)))(values)
          .dataSync(),
      );
      const ofTheta = Float32Array.from(connected.positions, (position, i) => sign[position] * gradient[i]);
      expect(scatterValues(at, ofTheta)).to.deep.equal(noZeroSigns(column(`${name}.theta_grad`)));
      tf.dispose([upstream, values]);
    });
  }

  it('draws what is missing in proportion to the sizes of kernels', () => {
    const reference = json.bsr_rewiring;
    const free = reference.layer_sizes.map((size, i) => size - reference.connected_before[i]);
    const sums = reference.layer_sizes.map(() => 0);
    const draws = 300;
    for (let seed = 0; seed < draws; seed++) {
      const drawn = drawKernels(reference.layer_sizes, free, reference.to_reconnect_total, seedKey(seed));
      expect(drawn.reduce((sum, n) => sum + n, 0)).to.equal(reference.to_reconnect_total);
      for (const [i, n] of drawn.entries()) sums[i] += n;
    }
    for (const [i, p] of reference.categorical_probabilities.entries()) {
      const expected = draws * reference.to_reconnect_total * p;
      expect(sums[i]).to.be.closeTo(expected, 5 * Math.sqrt(expected * (1 - p)));
    }
  });
});

describe('bsr-net', () => {
  before(() => useBackend('cpu'));

  it('gives what falls on a full kernel to the others', () => {
    for (let seed = 0; seed < 50; seed++) {
      const drawn = drawKernels([1000, 10, 100], [3, 10, 0], 12, seedKey(seed));
      expect(drawn.reduce((sum, n) => sum + n, 0)).to.equal(12);
      expect(drawn[0]).to.be.at.most(3);
      expect(drawn[1]).to.be.at.most(10);
      expect(drawn[2]).to.equal(0);
    }
    expect([...drawKernels([5, 5], [2, 3], 5, seedKey(0))]).to.deep.equal([2, 3]);
    expect(() => drawKernels([5, 5], [2, 3], 6, seedKey(0))).to.throw(InputError, '6 weights');
  });

  it('has signs that are a fixed function of key, kernel and position, + and − equally often', () => {
    const count = (name: string, key = 'signs') => {
      const signOf = fixedSigns(seedKey(key))(name, 10_000);
      return Array.from({ length: 10_000 }, (_, i) => signOf(i));
    };
    expect(count('a.kernel')).to.deep.equal(count('a.kernel'));
    expect(count('a.kernel')).not.to.deep.equal(count('b.kernel'));
    expect(count('a.kernel')).not.to.deep.equal(count('a.kernel', 'others'));
    expect(count('a.kernel').reduce((sum: number, sign) => sum + sign, 0)).to.be.within(-500, 500);
  });

  it('starts with exactly its weights: θ = |initial weight| where connected, 1e-12 elsewhere', async () => {
    const dense = denseNetwork();
    const tensors = tf.memory().numTensors;
    const connected = { 'a.kernel': 43, 'b.kernel': 20, 'c.kernel': 216 };
    const params = startBsrNet(dense, { signs, connected, total: 400 }, seedKey(1));
    expect(tf.memory().numTensors).to.equal(tensors + Object.keys(SHAPES).length);
    expect(countWeights(params).nonzeros).to.equal(400);
    let initial = 0;
    for (const [name, param] of sparse(params)) {
      const start = gatherValues(param.structure, dense[name].dataSync());
      let old = 0;
      for (const [i, value] of param.values.dataSync().entries()) {
        const theta = signOf(name, param)(param.structure.positions[i]) * value;
        if (theta === Math.fround(NEW_THETA)) continue;
        expect(theta).to.equal(Math.abs(start[i]));
        old++;
      }
      expect(old).to.equal(connected[name as keyof typeof connected]);
      initial += old;
    }
    expect(thetas(params).filter((theta) => theta === Math.fround(NEW_THETA))).to.have.length(400 - initial);
    disposeParams(params);
    disposeTensors(dense);
  });

  it('starts with the budget of any distribution, BSR-Net’s included', async () => {
    for (const distribution of ['bsr-net', 'erk', 'uniform'] as const) {
      const dense = denseNetwork();
      const given = {
        kernels: KERNELS,
        distribution,
        sparsity: 0.3,
        signs,
        key: seedKey(1),
        options: { firstConvolutionDense: false },
      };
      const params = await startNetwork(dense, { method: 'bsr-net', ...given });
      const random = await startNetwork(dense, { method: 'static', ...given });
      expect(countWeights(params)).to.deep.equal(countWeights(random));
      const fresh = thetas(params).filter((theta) => theta === Math.fround(NEW_THETA)).length;
      if (distribution === 'bsr-net') expect(fresh).to.be.above(20);
      else expect(fresh).to.equal(0);
      for (const tree of [params, random]) disposeParams(tree);
      disposeTensors(dense);
    }
  });

  it('keeps the network’s number of weights, drops θ ≤ 0, puts θ = 1e-12 at random places, and repeats under its key', async () => {
    const train = async () => {
      const sparsifier = bsrNet({ signs, noise: 0 });
      let params = await network();
      const { nonzeros } = countWeights(params);
      const history: number[][] = [];
      let gains = 0;
      for (let step = 1; step <= 15; step++) {
        expect(sparsifier.updatesAt({ step, totalSteps: 15 })).to.equal(true);
        const before = moved(params, step, 0.3);
        disposeParams(params);
        const tensors = tf.memory().numTensors;
        const update = await sparsifier.update(before, { step, totalSteps: 15 }, {}, foldIn(seedKey(7), step));
        params = update.params;
        expect(tf.memory().numTensors).to.equal(tensors + Object.keys(params).length);
        expect(countWeights(params).nonzeros).to.equal(nonzeros);
        for (const theta of thetas(params)) expect(theta).to.be.above(0);
        for (const [name, param] of sparse(params)) {
          const old = before[name] as SparseParam;
          if (param.values.size !== old.values.size) gains++;
          const map = update.carried[name] ?? Int32Array.from(old.structure.positions, (_, i) => i);
          expect(() => structure(param.structure.shape, param.structure.positions)).not.to.throw();
          const [oldValues, now] = [old.values.dataSync(), param.values.dataSync()];
          for (const [i, from] of map.entries()) {
            const position = param.structure.positions[i];
            if (from < 0) expect(now[i]).to.equal(Math.fround(signOf(name, param)(position) * NEW_THETA));
            else {
              expect(old.structure.positions[from]).to.equal(position);
              expect(now[i]).to.equal(oldValues[from]);
            }
          }
        }
        history.push(sparse(params).flatMap(([, { structure }]) => [...structure.positions]));
        disposeParams(before);
      }
      expect(gains).to.be.above(0);
      disposeParams(params);
      return history;
    };
    expect(await train()).to.deep.equal(await train());
  });

  it('moves active θ by learning rate · σ · N(0, 1), and keeps a structure that nothing left', async () => {
    const params = await network();
    const sparsifier = bsrNet({ signs, noise: 1e-6 });
    const update = await sparsifier.update(params, { step: 1, totalSteps: 2, learningRate: 100 }, {}, seedKey('noise'));
    expect(update.carried).to.deep.equal({});
    const steps: number[] = [];
    for (const [name, param] of sparse(update.params)) {
      const old = params[name] as SparseParam;
      expect(param.structure).to.equal(old.structure);
      const before = old.values.dataSync();
      steps.push(...param.values.dataSync().map((value, i) => (value - before[i]) / 1e-4));
    }
    const variance = steps.reduce((sum, x) => sum + x * x, 0) / steps.length;
    expect(variance).to.be.within(0.6, 1.5);
    expect(() => bsrNet({ signs, noise: -1 })).to.throw(InputError, 'got -1');
    disposeParams(params);
    disposeParams(update.params);
  });

  it('rewires a kernel that has lost every weight', async () => {
    const at = structure([2, 3], Int32Array.of(1, 4));
    const kernel = { structure: at, values: tf.tensor1d([1, 4].map((p) => -signs('a.kernel', 6)(p))) };
    const update = await bsrNet({ signs, noise: 0 }).update(
      { 'a.kernel': kernel },
      { step: 1, totalSteps: 2 },
      {},
      seedKey(0),
    );
    expect(countWeights(update.params)).to.deep.equal({ nonzeros: 2, size: 6 });
    expect([...update.carried['a.kernel']]).to.deep.equal([-1, -1]);
    disposeParams(update.params);
    disposeParams({ 'a.kernel': kernel });
  });
});
