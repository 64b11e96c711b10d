import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, type Key, normal, seedKey } from '../../src/core/key.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  type Params,
  type SparseParam,
  type Tensors,
} from '../../src/core/params.ts';
import { gatherValues, maskStructure, scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import { erk } from '../../src/sparsity/distributions.ts';
import { methods } from '../../src/sparsity/methods.ts';
import { type RewireOptions, rewire } from '../../src/sparsity/rewire.ts';
import { dropRules, growRules } from '../../src/sparsity/scores.ts';
import { fixedSigns } from '../../src/sparsity/signs.ts';
import { sparsify } from '../../src/sparsity/sparsify.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';

const signs = fixedSigns(seedKey('signs'));

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  'conv1.kernel': [3, 3, 2, 4],
  'conv1.bias': [4],
  'conv2.kernel': [3, 3, 4, 8],
  'head.kernel': [72, 5],
  'head.bias': [5],
};

const KERNELS = Object.entries(SHAPES).flatMap(([name, shape]) => (name.endsWith('.kernel') ? [{ name, shape }] : []));

const denseTensors = (key: Key): Tensors =>
  Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => [
      name,
      tf.tensor(normal(foldIn(key, name), sizeOf(shape)), [...shape]),
    ]),
  );

/** A small network at a sparsity, owned by the caller. */
function network(key: Key, sparsity = 0.8): Params {
  const dense = denseTensors(key);
  const params = sparsify(dense, erk(KERNELS, sparsity), foldIn(key, 'masks'));
  disposeTensors(dense);
  return params;
}

const positions = (params: Params) =>
  Object.entries(params).flatMap(([name, param]) => (isSparse(param) ? [[name, [...param.structure.positions]]] : []));
const values = (params: Params, name: string) => [...(params[name] as SparseParam).values.dataSync()];

describe('sparsify', () => {
  before(() => useBackend('cpu'));

  it('keeps exactly the counted weights with their initial values, and nothing else', () => {
    const dense = denseTensors(seedKey(1));
    const tensors = tf.memory().numTensors;
    const counts = { 'conv1.kernel': 72, 'conv2.kernel': 30, 'head.kernel': 1 };
    const params = sparsify(dense, counts, seedKey(2));
    expect(countWeights(params)).to.deep.equal({ nonzeros: 103, size: 72 + 288 + 360 });
    const conv2 = params['conv2.kernel'] as SparseParam;
    expect([...conv2.values.dataSync()]).to.deep.equal([
      ...gatherValues(conv2.structure, dense['conv2.kernel'].dataSync()),
    ]);
    expect(isSparse(params['conv1.kernel'])).to.equal(false);
    disposeParams(params);
    expect(tf.memory().numTensors).to.equal(tensors);
    expect(dense['head.bias'].isDisposed).to.equal(false);
    disposeTensors(dense);
  });

  it('repeats under a key and draws other positions under another', () => {
    const [a, b, c] = [network(seedKey(3)), network(seedKey(3)), network(seedKey(4))];
    expect(positions(a)).to.deep.equal(positions(b));
    expect(positions(a)).not.to.deep.equal(positions(c));
    for (const params of [a, b, c]) disposeParams(params);
  });

  it('chooses every position equally often', () => {
    const dense = { 'a.kernel': tf.ones([4, 5]) };
    const hits = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      const params = sparsify(dense, { 'a.kernel': 5 }, seedKey(seed));
      for (const position of (params['a.kernel'] as SparseParam).structure.positions) hits[position]++;
      disposeParams(params);
    }
    // 500 expected, standard deviation 19
    for (const count of hits) expect(count).to.be.within(410, 590);
    disposeTensors(dense);
  });

  it('refuses counts that a kernel cannot have', () => {
    const dense = denseTensors(seedKey(1));
    expect(() => sparsify(dense, { 'conv1.kernel': 73 }, seedKey(0))).to.throw(InputError, 'it cannot keep 73');
    expect(() => sparsify(dense, { 'head.bias': 2 }, seedKey(0))).to.throw(InputError, 'head.bias');
    disposeTensors(dense);
  });
});

describe('methods', () => {
  before(() => useBackend('cpu'));

  for (const [name, method] of Object.entries(methods)) {
    const counts = erk(KERNELS, 0.8);
    const sparsifier = method.sparsifier({ interval: 2, noise: 0, signs, counts });

    it(`${name} starts with the weights of its distribution, repeats under its key and borrows`, async () => {
      const dense = denseTensors(seedKey(5));
      const tensors = tf.memory().numTensors;
      const [a, b] = await Promise.all([1, 1].map(() => method.start(dense, { counts, signs, key: seedKey(6) })));
      expect(tf.memory().numTensors).to.equal(tensors + 2 * Object.keys(SHAPES).length);
      expect(positions(a)).to.deep.equal(positions(b));
      const whole = name === 'dense' || sparsifier?.preserves === 'nothing';
      expect(countWeights(a).nonzeros).to.equal(whole ? 720 : 144);
      for (const [kernel, param] of Object.entries(a)) {
        if (!isSparse(param)) continue;
        const initial = gatherValues(param.structure, dense[kernel].dataSync()).map(Math.abs);
        expect(values(a, kernel).map(Math.abs)).to.deep.equal([...initial]);
      }
      for (const params of [a, b]) disposeParams(params);
      expect(dense['conv1.kernel'].isDisposed).to.equal(false);
      disposeTensors(dense);
    });

    if (sparsifier === null) {
      it(`${name} never changes a mask`, () => {
        expect(method.defaults).to.equal(null);
      });
      continue;
    }

    if (sparsifier.preserves !== 'kernels') continue; // bsr-net.test.ts, prune.test.ts

    it(`${name} keeps the number of weights of every kernel at every step, and repeats under its key`, async () => {
      const train = async () => {
        let params = network(seedKey(5));
        const counts = positions(params).map(([, list]) => list.length);
        const history: unknown[] = [];
        for (let step = 1; step <= 40; step++) {
          const progress = { step, totalSteps: 40 };
          if (!sparsifier.updatesAt(progress)) continue;
          const gradients = denseTensors(seedKey(step));
          const tensors = tf.memory().numTensors;
          const before = params;
          const update = await sparsifier.update(params, progress, gradients, foldIn(seedKey(6), step));
          params = update.params;
          expect(tf.memory().numTensors).to.equal(tensors + Object.keys(params).length);
          expect(positions(params).map(([, list]) => list.length)).to.deep.equal(counts);
          for (const [kernel, carried] of Object.entries(update.carried)) {
            const old = before[kernel] as SparseParam;
            const now = params[kernel] as SparseParam;
            const oldValues = values(before, kernel);
            // Weights that stay have their values, grown ones are 0.
            expect(values(params, kernel)).to.deep.equal(
              [...carried].map((index) => (index < 0 ? 0 : oldValues[index])),
            );
            for (const [i, index] of carried.entries()) {
              const position = now.structure.positions[i];
              if (index < 0) expect(old.structure.positions.includes(position)).to.equal(false);
              else expect(old.structure.positions[index]).to.equal(position);
            }
          }
          history.push(positions(params));
          disposeParams(before);
          disposeTensors(gradients);
        }
        disposeParams(params);
        return history;
      };
      const history = await train();
      const steps = Array.from({ length: 40 }, (_, i) => i + 1);
      const due = steps.filter((step) => sparsifier.updatesAt({ step, totalSteps: 40 }));
      expect(history).to.have.length(due.length).above(10);
      expect(history[0]).not.to.deep.equal(history.at(-1));
      expect(await train()).to.deep.equal(history);
    });
  }

  it('keep the number of weights of a kernel of any shape and sparsity', async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 });
    const options = fc.record({
      dropFraction: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      rounding: fc.constantFrom('floor', 'ceil'),
      method: fc.constantFrom('set', 'rigl'),
    });
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.double({ min: 0, max: 1, noNaN: true }),
        options,
        fc.nat(),
        async (extents, share, o, seed) => {
          const size = sizeOf(extents);
          const count = Math.floor(share * size);
          const dense = { 'a.kernel': tf.tensor(normal(seedKey(seed), size), extents) };
          const params = sparsify(dense, { 'a.kernel': count }, seedKey(seed));
          const { method, ...given } = o;
          const sparsifier = methods[method].sparsifier({ ...given, interval: 1 });
          const update = await sparsifier?.update(params, { step: 1, totalSteps: 100 }, dense, seedKey(seed + 1));
          const after = update?.params['a.kernel'] as SparseParam;
          if (count === size) expect(isSparse(after)).to.equal(false);
          else {
            expect(after.structure.positions).to.have.length(count);
            expect(after.values.size).to.equal(count);
            expect(() => structure(after.structure.shape, after.structure.positions)).not.to.throw();
          }
          disposeParams(params);
          disposeParams(update?.params ?? {});
          disposeTensors(dense);
        },
      ),
    );
  });

  it('rigl needs dense gradients and says which is missing', async () => {
    const params = network(seedKey(5));
    const rigl = methods.rigl.sparsifier({ interval: 1 });
    expect(rigl?.needsDenseGradients).to.equal(true);
    expect(methods.set.sparsifier()?.needsDenseGradients).to.equal(false);
    const error = await rigl?.update(params, { step: 1, totalSteps: 10 }, {}, seedKey(0)).catch((e: unknown) => e);
    expect(error).to.be.instanceOf(InputError);
    expect((error as Error).message).to.match(/dense gradient \[.*\] of .*kernel, got none/);
    disposeParams(params);
  });

  it('set-itop and rigl-itop drop half at first and 0.5 % at the end, rounded up, at long intervals', async () => {
    for (const [name, interval] of [
      ['set-itop', 1500],
      ['rigl-itop', 4000],
    ] as const) {
      const sparsifier = methods[name].sparsifier();
      const totalSteps = 10 * interval;
      const times = [0, 1, 5, 9, 10].map((i) => i * interval);
      expect(times.map((step) => sparsifier?.updatesAt({ step, totalSteps }))).to.deep.equal([
        false,
        true,
        true,
        true,
        false,
      ]);
      expect(sparsifier?.updatesAt({ step: interval + 1, totalSteps })).to.equal(false);
      const dense = { 'a.kernel': tf.tensor2d(normal(seedKey(1), 900), [30, 30]) };
      const params = sparsify(dense, { 'a.kernel': 201 }, seedKey(2));
      for (const [step, fraction] of [
        [0, 0.5],
        [5 * interval, 0.2525],
        [totalSteps, 0.005],
      ]) {
        const update = await sparsifier?.update(params, { step, totalSteps }, dense, seedKey(3));
        const kept = update?.carried['a.kernel'].filter((index) => index >= 0) ?? [];
        const strongest = values(params, 'a.kernel')
          .map(Math.abs)
          .sort((a, b) => b - a);
        // Those that stay hold the largest weights; a place just dropped may have grown again.
        const keep = 201 - Math.ceil(fraction * 201);
        expect(kept.length).to.be.within(keep, 201);
        const staying = [...kept].map((index) => Math.abs(values(params, 'a.kernel')[index]));
        for (const weight of strongest.slice(0, keep)) expect(staying).to.include(weight);
        disposeParams(update?.params ?? {});
      }
      disposeParams(params);
      disposeTensors(dense);
    }
  });

  it('say what they cannot do without', () => {
    expect(() => methods['bsr-net'].sparsifier()).to.throw(InputError, 'bsr-net needs its signs');
    expect(() => methods.gradual.sparsifier()).to.throw(InputError, 'gradual needs the counts');
  });

  it('refuses impossible options', () => {
    expect(() => methods.set.sparsifier({ interval: 0 })).to.throw(InputError, 'positive whole number, got 0');
    expect(() => methods.rigl.sparsifier({ dropFraction: 30 })).to.throw(InputError, 'between 0 and 1, got 30');
    expect(() => methods.rigl.sparsifier({ end: 75 })).to.throw(InputError, 'got 75');
  });
});

describe('drop and growth rules', () => {
  it('keep and choose as many as asked, ascending, and grow only free places', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(49), { minLength: 4, maxLength: 40 }), fc.nat(1000), (list, seed) => {
        const kept = Int32Array.from(list).sort();
        const key = seedKey(seed);
        const gradient = normal(key, 50);
        for (const rule of Object.values(growRules)) {
          const grown = [...rule.choose({ size: 50, kept, gradient, key }, 7)];
          expect(new Set([...grown, ...kept]).size).to.equal(kept.length + 7);
          expect(grown).to.deep.equal(grown.toSorted((a, b) => a - b));
          expect(Math.max(...grown)).to.be.below(50);
        }
        for (const rule of Object.values(dropRules)) {
          const keep = [...rule(normal(key, kept.length), kept.length - 3, key)];
          expect(new Set(keep).size).to.equal(kept.length - 3);
          expect(keep).to.deep.equal(keep.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});

describe('mask updates beside the reference code', () => {
  const { json, tensors } = golden('sparsity') as {
    json: {
      mask_update: Readonly<Record<string, { drop_fraction: number; nonzeros: number; dropped_and_regrown: number }>>;
    };
    tensors: ReturnType<typeof golden>['tensors'];
  };
  const always = { interval: 1, begin: 0, end: 1, dropFractionSchedule: 'constant', finalDropFraction: 0 } as const;
  const magnitudeAndGradient = { drop: 'magnitude', grow: 'gradientMagnitude' } as const;
  const progress = { step: 1, totalSteps: 10 };
  const column = (name: string) => Float32Array.from(tensors[name].data as ArrayLike<number>);

  before(() => useBackend('cpu'));

  const updated = async (name: string, options: Pick<RewireOptions, 'rounding'>) => {
    const { shape } = tensors[`${name}.weights`];
    const before = maskStructure(shape, column(`${name}.mask`));
    const params = {
      'a.kernel': { structure: before, values: tf.tensor1d(gatherValues(before, column(`${name}.weights`))) },
    };
    const gradients = { 'a.kernel': toTensor(tensors[`${name}.grads`]) };
    const dropFraction = json.mask_update[name].drop_fraction;
    const sparsifier = rewire('test', { ...always, ...magnitudeAndGradient, ...options, dropFraction });
    const { params: after, carried } = await sparsifier.update(params, progress, gradients, seedKey(0));
    const { structure } = after['a.kernel'] as SparseParam;
    const weights = scatterValues(structure, values(after, 'a.kernel'));
    disposeParams(params);
    disposeParams(after);
    disposeTensors(gradients);
    return { structure, weights, carried: carried['a.kernel'] };
  };
  const mask = ({ structure }: { structure: SparseParam['structure'] }) =>
    scatterValues(structure, new Float32Array(structure.positions.length).fill(1));

  for (const name of ['update0', 'update1', 'update2']) {
    it(`${name}: drops, grows and keeps values and momentum as google-research/rigl`, async () => {
      const after = await updated(name, { rounding: 'floor' });
      expect(mask(after)).to.deep.equal(column(`${name}.new_mask`));
      const active = (dense: Float32Array) => gatherValues(after.structure, dense).map((x) => x + 0); // no −0
      expect(active(after.weights)).to.deep.equal(active(column(`${name}.new_weights`)));
      const momentum = Float32Array.from(after.carried, (index) => (index < 0 ? 0 : 0.5));
      expect(momentum).to.deep.equal(active(column(`${name}.new_momentum`)));
    });

    it(`${name}: drops and grows as ITOP`, async () => {
      const after = await updated(name, { rounding: 'ceil' });
      expect(mask(after)).to.deep.equal(column(`${name}.itop_new_mask`));
    });
  }
});
