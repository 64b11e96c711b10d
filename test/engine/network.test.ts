import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { pgd } from '../../attacks/index.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { disposeTensors } from '../../src/core/params.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { planBackward } from '../../src/engine/network/backward.ts';
import { buildGraph } from '../../src/engine/network/build-graph.ts';
import { planForward } from '../../src/engine/network/forward.ts';
import { apply, init } from '../../src/models/init.ts';
import { batchNorm, conv, dense, flatten, relu } from '../../src/models/layers.ts';
import { buildModel } from '../../src/models/models.ts';
import { type Layer, type Program, runNetwork } from '../../src/ops/network.ts';
import { type Arrays, anyProgram, difference, everything, on, programs } from './networks.ts';
import { forgetStructures } from './same.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('engine networks', () => {
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  for (const [name, program] of Object.entries(programs)) {
    for (const training of [false, true]) {
      const mode = training ? 'training' : 'evaluation';
      it(`gives the reference's logits, statistics and gradients: ${name}, ${mode}`, async () => {
        for (const batch of [1, 37]) {
          // One image whose map is one pixel has no variance: its gradients are 0 up to rounding.
          if (batch === 1 && training && name === 'mlp') continue;
          const expected = await on('cpu', 1, () => everything(program, { batch, training }));
          for (const probing of [true, false]) {
            const actual = await on('equipoise', 2, () => everything(program, { batch, training, probing }));
            const names = Object.keys(expected).filter((what) => probing || !what.startsWith('dense gradient'));
            expect(Object.keys(actual)).to.deep.equal(names);
            for (const what of names) {
              expect(actual[what].length, what).to.equal(expected[what].length);
              expect(difference(actual[what], expected[what]), `${what}, batch ${batch}`).to.be.below(2e-5);
            }
          }
        }
      });
    }

    it(`gives the same bits on 1, 2 and 3 threads: ${name}`, async () => {
      for (const training of [false, true]) {
        for (const probing of [true, false]) {
          const run = () => everything(program, { batch: 70, training, probing });
          const one = await on('equipoise', 1, run);
          for (const threads of [2, 3]) expect(await on('equipoise', threads, run)).to.deep.equal(one);
        }
      }
    });

    it(`gives an image the same bits in any batch and place, in evaluation mode: ${name}`, async () => {
      const all = await on('equipoise', 2, () => everything(program, { batch: 40, training: false }));
      const rows = [39, 3, 17];
      const some = await on('equipoise', 2, () => {
        // What fills up the blocks of a few images may never have been written.
        tf.fill([2 ** 23], Number.NaN).dispose();
        return everything(program, { batch: 40, training: false, rows });
      });
      for (const what of ['logits', 'images']) {
        const length = all[what].length / 40;
        rows.forEach((row, i) => {
          expect(some[what].slice(i * length, (i + 1) * length)).to.deep.equal(
            all[what].slice(row * length, (row + 1) * length),
          );
        });
      }
    });
  }

  it("gives the reference's logits and gradients of any network, in evaluation mode", async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, fc.constantFrom(1, 5, 19), async (program, batch) => {
        const run = () => everything(program, { batch, training: false });
        const expected = await on('cpu', 1, run);
        const actual = await on('equipoise', 2, run);
        for (const [what, values] of Object.entries(expected)) {
          // Rounding may turn the sign of a ReLU's input that is nearly 0: the gradient jumps there, a logit does not.
          expect(difference(actual[what], values), what).to.be.below(what === 'logits' ? 2e-5 : 0.05);
        }
      }),
      { numRuns: 40 },
    );
  }).timeout(120_000);

  it('gives no logits of no images, and no gradients', async () => {
    for (const program of Object.values(programs)) {
      for (const backend of ['cpu', 'equipoise'] as const) {
        await on(backend, 2, () => {
          tf.tidy(() => {
            const { params, state } = init(program, seedKey('weights'));
            const images = tf.zeros([0, ...program.inputShape]) as Tensor4D;
            const logits = (x: Tensor4D, training: boolean) =>
              runNetwork(program, params, state, x, { training }).logits;
            expect(logits(images, false).shape).to.deep.equal([0, program.classes]);
            const gradient = tf.grad((x: Tensor) => tf.sum(logits(x as Tensor4D, false)))(images);
            expect(gradient.shape).to.deep.equal(images.shape);
            expect(() => logits(images, true)).to.throw(
              /training mode computes statistics of the batch and needs at least one image/,
            );
          });
          return {};
        });
      }
    }
  });

  it('refuses a program whose windows do not fit', async () => {
    const program: Program = {
      inputShape: [4, 4, 1],
      classes: 2,
      layers: [{ ...conv('first', 1, 2), size: 7 } as Layer, { kind: 'globalAveragePool' }],
    };
    for (const backend of ['cpu', 'equipoise'] as const) {
      await on(backend, 2, () => {
        tf.tidy(() => {
          const params = { 'first.kernel': tf.ones([7, 7, 1, 2]) };
          const run = () => runNetwork(program, params, {}, tf.zeros([1, 4, 4, 1]), { training: false });
          expect(run).to.throw(/conv layer 'first' makes \[0, 0, 2\] of \[4, 4, 1\]/);
        });
        return {};
      });
    }
  });

  it('returns the memory of kernels that have every weight when their network is collected', async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend('equipoise');
    forgetStructures();
    const before = engineInfo()?.bytes as number;
    const run = (): void => {
      // A network of its own, of which nothing is held after the call.
      const program = { ...programs.vgg };
      tf.tidy(() => {
        const { params, state } = init(program, seedKey('weights'));
        const images = tf.ones([3, ...program.inputShape]) as Tensor4D;
        const evaluated = (x: Tensor) =>
          tf.sum(runNetwork(program, params, state, x as Tensor4D, { training: false }).logits);
        tf.grad(evaluated)(images).dataSync();
        const trained = (kernel: Tensor) => {
          const result = runNetwork(program, { ...params, 'third.kernel': kernel }, state, images, { training: true });
          disposeTensors(result.state);
          return tf.sum(result.logits);
        };
        tf.grad(trained)(params['third.kernel'] as Tensor).dataSync();
      });
    };
    run();
    expect(engineInfo()?.bytes).to.be.greaterThan(before);
    for (let i = 0; i < 100 && engineInfo()?.bytes !== before; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(engineInfo()?.bytes).to.equal(before);
  });

  it('gives the gradients of a loss over two passes, of which the second moves the statistics of the first on', async () => {
    const program = programs.resnet;
    const run = (): Arrays =>
      tf.tidy(() => {
        const { params, state } = init(program, seedKey('weights'));
        const shape = [6, ...program.inputShape] as const;
        const images = tf.tensor4d(uniform(seedKey('images'), sizeOf(shape)), [...shape]);
        const gradient = tf.grad((kernel: Tensor) => {
          const weights = { ...params, 'stem.kernel': kernel };
          const first = runNetwork(program, weights, state, images, { training: true });
          const second = runNetwork(program, weights, first.state, tf.square(images), { training: true });
          return tf.sum(tf.square(tf.sub(first.logits, second.logits)));
        })(params['stem.kernel'] as Tensor);
        return { gradient: gradient.dataSync() as Float32Array };
      });
    const expected = await on('cpu', 1, run);
    const actual = await on('equipoise', 2, run);
    expect(difference(actual.gradient, expected.gradient)).to.be.below(2e-5);
  });

  it('takes the variance of a channel whose mean is a thousand times its deviation', async () => {
    const program: Program = {
      inputShape: [16, 16, 1],
      classes: 2,
      layers: [{ ...conv('a', 1, 8), bias: true } as Layer, batchNorm('n', 8), relu, flatten, dense('head', 2048, 2)],
    };
    const run = (): Arrays =>
      tf.tidy(() => {
        const { params, state } = init(program, seedKey('weights'));
        const images = tf.tensor4d(uniform(seedKey('images'), 37 * 256), [37, 16, 16, 1]);
        const far = { ...params, 'a.bias': tf.linspace(-300, 300, 8) };
        const { state: after } = runNetwork(program, far, state, images, { training: true });
        return Object.fromEntries(Object.entries(after).map(([name, x]) => [name, x.dataSync() as Float32Array]));
      });
    const expected = await on('cpu', 1, run);
    const actual = await on('equipoise', 2, run);
    for (const [name, values] of Object.entries(expected)) {
      expect(difference(actual[name], values), name).to.be.below(1e-4);
    }
  });

  it('keeps of a residual network neither what batch norm makes within blocks nor its gradients', () => {
    const program = buildModel('resnet18', { inputShape: [32, 32, 3], classes: 10, width: 1 });
    const graph = buildGraph(program, false, 1);
    const plan = (light: ReadonlySet<string>) => {
      const forward = planForward(graph, {
        ...{ batch: 32, norm: 'batch', keep: 'parameters', tiles: 1, full: new Set() },
        light,
      });
      return { kept: forward.savedBytes, scratch: planBackward(forward, 'parameters').scratchBytes };
    };
    const [all, none] = [graph.nodes.flatMap((node) => (node.kind === 'conv' ? [node.name] : [])), []].map((names) =>
      plan(new Set(names)),
    );
    expect(all.kept / none.kept).to.be.below(0.76);
    expect(all.scratch).to.be.below(none.scratch);
  });

  it('cuts batches into tasks for several threads, in evaluation mode', () => {
    const tasksOf = (program: Program, batch: number) => {
      const { steps } = planForward(buildGraph(program, true), {
        batch,
        norm: 'folded',
        keep: 'images',
        light: new Set(),
        full: new Set(),
        tiles: 1,
      });
      return Math.max(...steps.map((step) => (step.kind === 'job' ? step.tasks : 0)));
    };
    expect([1, 16, 32, 64, 128].map((batch) => tasksOf(programs.resnet, batch))).to.deep.equal([1, 4, 8, 16, 32]);
    // A flat network's blocks are of 32 images.
    expect([16, 128].map((batch) => tasksOf(programs.mlp, batch))).to.deep.equal([1, 4]);
  });

  it('keeps dense kernels of equal shape apart', async () => {
    for (const training of [false, true]) {
      const run = () => everything(programs.resnet, { batch: 3, training, density: 1 });
      const expected = await on('cpu', 1, run);
      const actual = await on('equipoise', 2, run);
      for (const [what, values] of Object.entries(expected)) {
        expect(difference(actual[what], values), what).to.be.below(2e-5);
      }
    }
  });

  for (const density of [0, 0.01]) {
    it(`takes kernels with ${density === 0 ? 'no weight' : 'hardly a weight'}`, async () => {
      for (const training of [false, true]) {
        const run = () => everything(programs.resnet, { batch: 3, training, density });
        const expected = await on('cpu', 1, run);
        const actual = await on('equipoise', 2, run);
        for (const [what, values] of Object.entries(expected)) {
          expect(actual[what].length, what).to.equal(values.length);
          values.forEach((value, i) => {
            expect(actual[what][i], what).to.be.closeTo(value, 1e-4 * Math.max(1, Math.abs(value)));
          });
        }
      }
    });
  }

  it('returns every byte after many passes, and keeps nothing of a pass whose gradient is never asked for', async () => {
    const program = programs.vgg;
    await registerEngine({ threads: 2 });
    await tf.setBackend('equipoise');
    const { params, state } = init(program, seedKey('memory'));
    const images = tf.randomUniform([5, 8, 8, 3]) as Tensor4D;
    const attack = () =>
      tf.tidy(() => {
        tf.grad((x: Tensor) => tf.sum(runNetwork(program, params, state, x as Tensor4D, { training: false }).logits))(
          images,
        );
        disposeTensors(runNetwork(program, params, state, images, { training: true }).state);
      });
    forgetStructures();
    attack();
    const [bytes, tensors] = [engineInfo()?.bytes, tf.memory().numTensors];
    for (let i = 0; i < 300; i++) attack();
    expect(engineInfo()?.bytes).to.equal(bytes);
    expect(tf.memory().numTensors).to.equal(tensors);
  });

  it('ends a thousand attacks with as many bytes as it began', async () => {
    const program = programs.mlp;
    await registerEngine({ threads: 2 });
    await tf.setBackend('equipoise');
    const { params, state } = init(program, seedKey('attacks'));
    const images = tf.fill([4, 5, 5, 1], 0.5) as Tensor4D;
    const labels = tf.tensor1d([0, 1, 2, 3], 'int32');
    const classifier = (x: Tensor4D) => apply(program, params, state, x, { training: false }).logits;
    const attack = pgd({ epsilon: 0.1, steps: 1, stepSize: 0.1 });
    const run = async () =>
      (await attack.perturb(classifier, images, labels, { key: seedKey('start'), mode: 'train' })).dispose();
    forgetStructures();
    await run();
    const [bytes, tensors] = [engineInfo()?.bytes, tf.memory().numTensors];
    for (let i = 0; i < 1000; i++) await run();
    expect(engineInfo()?.bytes).to.equal(bytes);
    expect(tf.memory().numTensors).to.equal(tensors);
  });

  it('names the batch that would fit when memory is short', async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('equipoise');
    const program = {
      inputShape: [256, 256, 1] as const,
      classes: 2,
      layers: [conv('a', 1, 200), relu, conv('b', 200, 1), flatten, dense('head', 65536, 2)],
    };
    const bytes = engineInfo()?.bytes;
    tf.tidy(() => {
      const { params, state } = init(program, seedKey('memory'));
      const images = tf.zeros([128, 256, 256, 1]) as Tensor4D;
      expect(() => apply(program, params, state, images, { training: true })).to.throw(
        /batch of 128 images does not fit .* (32|64) images would/,
      );
    });
    expect(engineInfo()?.bytes).to.be.at.most((bytes ?? 0) + 2 ** 22);
  });
});
