import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { kernelsOf } from '../../src/models/inspect.ts';
import { buildModel } from '../../src/models/models.ts';
import {
  bsrNet,
  bsrNetConnected,
  type DistributionOptions,
  distributions,
  er,
  erk,
  type KernelShape,
  perLayer,
  uniform,
} from '../../src/sparsity/distributions.ts';
import { golden } from '../golden.ts';

interface GoldenDensity {
  readonly layer_density: readonly number[];
  readonly layer_nonzeros: readonly number[];
}
interface GoldenNetwork {
  readonly layers: readonly KernelShape[];
  readonly density: Readonly<Record<string, Readonly<Record<string, GoldenDensity>>>>;
}
interface GoldenConnectivity {
  readonly layer_sizes: readonly number[];
  readonly layer_connected: readonly number[];
  readonly global_total: number;
  readonly reconnected_at_first_step: number;
}
const { json } = golden('sparsity') as {
  json: {
    densities: { networks: Readonly<Record<string, GoldenNetwork>> };
    bsr_initial: { networks: Readonly<Record<string, Readonly<Record<string, GoldenConnectivity>>>> };
  };
};

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
const sizes = (kernels: readonly KernelShape[]) => kernels.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

const anyKernels: fc.Arbitrary<KernelShape[]> = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.constantFrom(1, 3), fc.integer({ min: 1, max: 32 }), fc.integer({ min: 1, max: 32 }))
        .map(([k, i, o]) => [k, k, i, o]),
      fc.tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 })).map(([i, o]) => [i, o]),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((shapes) => shapes.map((shape, i) => ({ name: `layer${i}.kernel`, shape })));

describe('distributions', () => {
  for (const [network, { layers, density }] of Object.entries(json.densities.networks)) {
    for (const [share, reference] of Object.entries(density)) {
      const sparsity = 1 - Number(share);
      const expectDensities = (kernels: readonly KernelShape[], densities: readonly number[]) => {
        const counts = erk(kernels, sparsity);
        expect(total(counts)).to.equal(Math.round((1 - sparsity) * sizes(kernels)));
        for (const [i, { name, shape }] of kernels.entries()) {
          // Its budget has each kernel's zeros rounded down, ours is exact: up to two weights a kernel lie between them.
          expect(counts[name]).to.be.closeTo(densities[i] * sizeOf(shape), 2);
        }
      };

      it(`gives ${network} at density ${share} the uniform counts of google-research/rigl`, () => {
        const all = uniform(layers, sparsity, { firstConvolutionDense: false });
        expect(layers.map(({ name }) => all[name])).to.deep.equal(reference.uniform.layer_nonzeros);
        const byDefault = uniform(layers, sparsity);
        const expected = (reference.uniform_first_dense ?? reference.uniform).layer_nonzeros;
        expect(layers.map(({ name }) => byDefault[name])).to.deep.equal(expected);
      });

      it(`gives ${network} at density ${share} the ERK densities of google-research/rigl`, () => {
        expectDensities(layers, reference.erk.layer_density);
        // Its first layer, kept dense on request, stands outside the budget.
        if (reference.erk_first_dense)
          expectDensities(layers.slice(1), reference.erk_first_dense.layer_density.slice(1));
      });
    }
  }

  it('counts a first convolution kept dense against the budget', () => {
    const { layers } = json.densities.networks.vgg16;
    const counts = erk(layers, 0.99, { firstConvolutionDense: true, lastLayerDense: true });
    expect(counts[layers[0].name]).to.equal(sizeOf(layers[0].shape));
    expect(counts[layers[15].name]).to.equal(sizeOf(layers[15].shape));
    expect(total(counts)).to.equal(Math.round(0.01 * sizes(layers)));
  });

  it('gives a layer without saturation the density ε (inputs + outputs) / (inputs · outputs) by er', () => {
    const counts = er(
      [
        { name: 'a.kernel', shape: [100, 100] },
        { name: 'b.kernel', shape: [200, 300] },
      ],
      0.9,
    );
    expect(counts).to.deep.equal({ 'a.kernel': 2000, 'b.kernel': 5000 });
  });

  it('spreads exactly round((1 − sparsity) · size) weights, at least one a kernel', () => {
    fc.assert(
      fc.property(
        anyKernels,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.record({ firstConvolutionDense: fc.boolean(), lastLayerDense: fc.boolean() }),
        (kernels, sparsity, options) => {
          const budget = Math.round((1 - sparsity) * sizes(kernels));
          const first = options.firstConvolutionDense ? kernels.find(({ shape }) => shape.length === 4) : undefined;
          const last = options.lastLayerDense ? kernels.at(-1) : undefined;
          const least = ({ name, shape }: KernelShape) =>
            name === first?.name || name === last?.name ? sizeOf(shape) : 1;
          for (const distribution of [er, erk, bsrNet]) {
            if (budget < kernels.reduce((sum, kernel) => sum + least(kernel), 0)) {
              expect(() => distribution(kernels, sparsity, options)).to.throw(InputError, 'lower the sparsity');
              continue;
            }
            const counts = distribution(kernels, sparsity, options);
            expect(total(counts)).to.equal(budget);
            for (const kernel of kernels) expect(counts[kernel.name]).to.be.within(least(kernel), sizeOf(kernel.shape));
          }
          if (budget < kernels.reduce((sum, kernel) => sum + least(kernel), 0)) return;
          const [connected, all] = [bsrNetConnected, bsrNet].map((counts) => counts(kernels, sparsity, options));
          for (const kernel of kernels) expect(connected[kernel.name]).to.be.within(least(kernel), all[kernel.name]);
        },
      ),
    );
  });

  it('gives every kernel but a dense first convolution the same sparsity by uniform', () => {
    fc.assert(
      fc.property(anyKernels, fc.integer({ min: 0, max: 99 }), (kernels, percent) => {
        const counts = uniform(kernels, percent / 100);
        const first = kernels.find(({ shape }) => shape.length === 4);
        for (const { name, shape } of kernels) {
          const size = sizeOf(shape);
          expect(counts[name]).to.equal(name === first?.name ? size : size - Math.floor((percent * size) / 100));
        }
      }),
    );
  });

  for (const [network, model, firstStageDensity] of [
    ['vgg16', 'vgg16-bsr', 0.2],
    ['resnet18', 'resnet18', 0.2],
    ['wrn28_4', 'wrn-28-4', 0.1],
  ] as const) {
    for (const [share, reference] of Object.entries(json.bsr_initial.networks[network])) {
      it(`connects ${network} at density ${share} as BSR-Net does, and then to its budget`, () => {
        const kernels = kernelsOf(buildModel(model, { inputShape: [32, 32, 3], classes: 10, width: 1 }));
        expect(kernels.map(({ shape }) => sizeOf(shape))).to.deep.equal(reference.layer_sizes);
        const sparsity = 1 - Number(share);
        const connected = bsrNetConnected(kernels, sparsity, { firstStageDensity });
        expect(kernels.map(({ name }) => connected[name])).to.deep.equal(reference.layer_connected);
        const all = bsrNet(kernels, sparsity, { firstStageDensity });
        // There the budget is rounded down.
        expect(total(all) - reference.global_total).to.be.within(0, 1);
        expect(total(all) - total(connected) - reference.reconnected_at_first_step).to.be.within(0, 1);
        for (const { name, shape } of kernels) {
          const expected = (reference.reconnected_at_first_step * sizeOf(shape)) / sizes(kernels);
          if (all[name] < sizeOf(shape))
            expect(all[name] - connected[name]).to.be.closeTo(expected, expected / 100 + 2);
        }
      });
    }
  }

  it('gives kernels by name the sparsity asked for, and the others the common one', () => {
    const { layers } = json.densities.networks.lenet_300_100;
    const [first, second, last] = layers.map(({ name }) => name);
    const counts = perLayer(layers, 0.9, { sparsities: { [first]: 0.99, [last]: 0 } });
    expect(counts).to.deep.equal({ [first]: 2352, [second]: 3000, [last]: 1000 });
    expect(perLayer(layers, 0.9, { sparsities: {}, lastLayerDense: true })[last]).to.equal(1000);
    expect(() => perLayer(layers, 0.9)).to.throw(InputError, 'needs `sparsities`');
    expect(() => perLayer(layers, 0.9, { sparsities: { 'fc9.kernel': 0.5 } })).to.throw(
      InputError,
      'no kernel fc9.kernel',
    );
    expect(() => perLayer(layers, 0.9, { sparsities: { [first]: 99 } })).to.throw(InputError, 'Did you mean 0.99?');
  });

  const needed: DistributionOptions = { sparsities: {} };
  for (const [name, build] of Object.entries(distributions)) {
    const distribution = (kernels: readonly KernelShape[], sparsity: number) => build(kernels, sparsity, needed);
    it(`${name} refuses a sparsity outside [0, 1) and says what may be meant`, () => {
      const kernels = [{ name: 'a.kernel', shape: [10, 10] }];
      expect(() => distribution(kernels, 95)).to.throw(InputError, 'Did you mean 0.95?');
      expect(() => distribution(kernels, 99.5)).to.throw(InputError, 'Did you mean 0.995?');
      expect(() => distribution(kernels, 1)).to.throw(InputError, 'no weight would be left');
      expect(() => distribution(kernels, -0.1)).to.throw(InputError, 'got -0.1');
      expect(() => distribution(kernels, Number.NaN)).to.throw(InputError, 'got NaN');
      expect(distribution(kernels, 0)).to.deep.equal({ 'a.kernel': 100 });
    });
  }
});
