import { readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryUsage } from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { decodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { seedKey } from '../../src/core/key.ts';
import { batchImages, batchLabels } from '../../src/data/batch.ts';
import type { Dataset } from '../../src/data/types.ts';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { registerEngine } from '../../src/engine/index.ts';
import { buildAttack, parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { measure } from '../../src/evaluation/measure/measure.ts';
import type { EvaluateOptions } from '../../src/evaluation/options.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { inNorm } from '../../src/evaluation/threat.ts';
import { rejection } from '../rejection.ts';
import { goldenImages, pytorchFile, saveGraphModel, saveLayersModel, smallLayersModel, withFolder } from './models.ts';
import { tinyData, withRun } from './tiny.ts';

const ATTACKS = 'pgd-3x2,apgd-3-cw,fab-t-2,square-10,deepfool-2';

/** Examples by the numbers of their images, of every attack. */
function readExamples(files: readonly (readonly [string, Buffer])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    files.flatMap(([name, bytes]) => {
      const { tensors } = decodeSafetensors(bytes);
      const { adversarial, indices, labels, survived } = tensors;
      const pixels = adversarial.data.length / indices.data.length;
      return Array.from(indices.data as BigInt64Array, (index, i) => [
        `${name} ${index}`,
        JSON.stringify([
          Number(labels.data[i]),
          survived.data[i],
          Array.from((adversarial.data as Float32Array).subarray(i * pixels, (i + 1) * pixels)),
        ]),
      ]);
    }),
  );
}

const examplesIn = async (folder: string) =>
  readExamples(
    await Promise.all(
      readdirSync(folder)
        .filter((name) => name.endsWith('.safetensors'))
        .sort()
        .map(async (name) => [name, await readFile(join(folder, name))] as const),
    ),
  );

/** What an evaluation of a model finds, and the examples by image. */
const evaluated = (source: string, dataset: Dataset, change: EvaluateOptions = {}) =>
  withFolder(async (folder) => {
    const [{ clean, attacks }] = await evaluate(source, {
      dataset,
      attacks: parseAttacks(ATTACKS),
      epsilons: [0.1],
      out: false,
      saveExamples: join(folder, 'examples'),
      ...change,
    });
    return { found: { clean, attacks }, examples: await examplesIn(join(folder, 'examples')) };
  });

/** A data set with its images in another order and some of them left out. */
function shuffled(dataset: Dataset): { data: Dataset; from: readonly number[] } {
  const { test, imageShape } = dataset;
  const size = imageShape[0] * imageShape[1] * imageShape[2];
  const from = Array.from({ length: test.count }, (_, i) => (i * 7 + 3) % test.count);
  const images = new Uint8Array(from.length * size);
  for (const [i, index] of from.entries()) images.set(test.images.subarray(index * size, (index + 1) * size), i * size);
  return {
    data: { ...dataset, test: { count: from.length, images, labels: test.labels.map((_, i) => test.labels[from[i]]) } },
    from,
  };
}

const onEngine = async (threads: number): Promise<void> => {
  await registerEngine({ threads });
  await tf.setBackend('equipoise');
};

describe('an image’s adversarial example', () => {
  beforeEach(() => onEngine(1));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  const all = tinyData();
  const { images, labels } = all.test;
  const digits = {
    ...all,
    test: {
      count: 12,
      images: images.subarray(0, 12 * (images.length / all.test.count)),
      labels: labels.subarray(0, 12),
    },
  };
  const models: [string, Dataset, (use: (source: string) => Promise<void>) => Promise<void>][] = [
    ['a checkpoint', digits, (use) => withRun((folder) => use(join(folder, 'checkpoints', 'best.safetensors')))],
    [
      'a LayersModel',
      digits,
      (use) =>
        withFolder(async (folder) => {
          const model = smallLayersModel({ ending: 'softmax', inputShape: [4, 4, 1] });
          await saveLayersModel(model, join(folder, 'model'));
          model.dispose();
          await use(join(folder, 'model'));
        }),
    ],
    [
      'a GraphModel',
      digits,
      (use) =>
        withFolder(async (folder) => {
          await saveGraphModel(join(folder, 'model'), { ending: 'softmax' });
          await use(join(folder, 'model'));
        }),
    ],
    ['weights of PyTorch', goldenImages(), (use) => use(pytorchFile('resnet18'))],
  ];
  for (const [what, dataset, withModel] of models) {
    it(`is bitwise the same whatever the batch size, the threads and the images beside it: ${what}`, () =>
      withModel(async (source) => {
        const whole = await evaluated(source, dataset);
        expect(Object.keys(whole.examples).length).to.be.above(0);
        for (const batchSize of [5, 1]) {
          expect(await evaluated(source, dataset, { batchSize })).to.deep.equal(whole);
        }
        const { examples: some } = await evaluated(source, dataset, { testLimit: 5 });
        expect(whole.examples).to.deep.include(some);
        await onEngine(3);
        expect(await evaluated(source, dataset, { batchSize: 4 })).to.deep.equal(whole);
        await onEngine(1);
      }));

    it(`is bitwise the same whatever the order of the images: ${what}`, () =>
      withModel(async (source) => {
        const { data, from } = shuffled(dataset);
        const target = await loadTarget(source, { images: dataset });
        const pixelsOf = async (of: Dataset, samples: (place: number) => number) => {
          const all = Array.from({ length: of.test.count }, (_, i) => i);
          const [images, labels] = [batchImages(of.test, all, of.imageShape), batchLabels(of.test, all)];
          const found = new Map<string, string>();
          for (const spec of parseAttacks(ATTACKS)) {
            const attack = buildAttack(spec, 'linf', 0.1);
            const key = seedKey(1);
            const made = await attack.perturb(target.classify, images, labels, { key, samples: all.map(samples) });
            const rows = (await made.array()) as unknown[];
            for (const place of all) found.set(`${attack.name} ${samples(place)}`, JSON.stringify(rows[place]));
            made.dispose();
          }
          tf.dispose([images, labels]);
          return found;
        };
        try {
          const straight = await pixelsOf(dataset, (place) => place);
          const mixed = await pixelsOf(data, (place) => from[place]);
          for (const [name, pixels] of straight) expect(mixed.get(name), name).to.equal(pixels);
        } finally {
          target.dispose();
        }
      }));
  }
});

describe('an interrupted evaluation', () => {
  before(() => onEngine(1));
  after(() => tf.setBackend('cpu'));

  const dataset = tinyData();
  const options: EvaluateOptions = {
    dataset,
    attacks: parseAttacks('fgsm,pgd-3x2'),
    epsilons: [0.05, 0.1],
    batchSize: 16,
  };

  /** Evaluates, stopped after so many attacks on batches. */
  const stopped = async (path: string, after: number, change: EvaluateOptions) => {
    const abort = new AbortController();
    let done = 0;
    const warnings: string[] = [];
    const error = await rejection(
      evaluate(path, {
        ...options,
        ...change,
        signal: abort.signal,
        warn: (message) => warnings.push(message),
        onProgress: (progress) => {
          if (progress.done > 0 && ++done === after) abort.abort();
        },
      }),
    );
    expect(error.name).to.equal('AbortError');
    expect(warnings.join()).to.contain('--resume');
  };

  it('goes on from any point to the same result and the same examples', () =>
    withRun(async (folder) => {
      const path = join(folder, 'checkpoints', 'best.safetensors');
      const whole = join(folder, 'whole');
      const [expected] = await evaluate(path, { ...options, out: join(folder, 'whole.json'), saveExamples: whole });
      // Three batches, each attacked four times.
      for (const after of [1, 3, 4, 6, 11]) {
        const out = join(folder, `${after}.json`);
        const saveExamples = join(folder, `examples ${after}`);
        await stopped(path, after, { out, saveExamples });
        expect(await readEvaluations(out)).to.deep.equal([]);
        let asked = 0;
        const [resumed] = await evaluate(path, {
          ...options,
          out,
          saveExamples,
          resume: true,
          onProgress: () => asked++,
        });
        expect(resumed).to.deep.equal(expected);
        expect(asked).to.equal(1 + 12 - after);
        expect(await examplesIn(saveExamples)).to.deep.equal(await examplesIn(whole));
        expect(readdirSync(folder).filter((name) => name.includes('interrupted'))).to.deep.equal([]);
      }
    }));

  it('of a run goes on with the checkpoint that was not done, and does the others not again', () =>
    withRun(async (folder) => {
      const expected = await evaluate(folder, { ...options, out: join(folder, 'whole.json') });
      await stopped(folder, 15, {});
      const seen = new Set<string>();
      const resumed = await evaluate(folder, {
        ...options,
        resume: true,
        onProgress: ({ checkpoint }) => seen.add(checkpoint),
      });
      expect(resumed).to.deep.equal(expected);
      expect([...seen]).to.deep.equal(['last']);
      const again = await evaluate(folder, {
        ...options,
        resume: true,
        onProgress: () => expect.fail('nothing to do'),
      });
      expect(again).to.deep.equal(expected);
      const saveExamples = join(folder, 'examples');
      const saved = await evaluate(folder, { ...options, resume: true, saveExamples });
      expect(saved.map(({ attacks }) => attacks)).to.deep.equal(expected.map(({ attacks }) => attacks));
      const files = readdirSync(saveExamples).filter((name) => name.endsWith('.safetensors'));
      expect(files).to.have.length(8);
      // A file of examples of other weights is made again.
      const file = join(saveExamples, files[0]);
      const whole = await readFile(file);
      await writeFile(file, Buffer.from(whole.toString('latin1').replace(/[0-9a-f]{64}/, 'f'.repeat(64)), 'latin1'));
      await evaluate(folder, { ...options, resume: true, saveExamples });
      expect((await readFile(file)).equals(whole)).to.equal(true);
    }));

  it('of other settings is not touched, but says what differs', () =>
    withRun(async (folder) => {
      const path = join(folder, 'checkpoints', 'best.safetensors');
      const kept = join(folder, 'evaluation.best.interrupted.json');
      await stopped(path, 5, {});
      const before = await readFile(kept, 'utf8');
      const others = { ...options, seed: 3, attacks: parseAttacks('fgsm') };
      const error = await rejection(evaluate(path, { ...others, resume: true }));
      expect(error).to.be.instanceOf(UsageError);
      expect(error.message).to.match(/differs in the attacks, --seed\. .*leave out --resume/);
      expect(await readFile(kept, 'utf8')).to.equal(before);
    }));

  it('begins anew where that is asked of other settings, or what was kept is damaged', () =>
    withRun(async (folder) => {
      const path = join(folder, 'checkpoints', 'best.safetensors');
      const [expected] = await evaluate(path, { ...options, out: join(folder, 'whole.json'), seed: 3 });
      const out = join(folder, 'evaluation.json');
      const cases: [resume: true | 'if-same', damage: () => Promise<void>][] = [
        ['if-same', async () => undefined],
        [true, () => writeFile(join(folder, 'evaluation.best.interrupted.json'), '{"version":3,')],
      ];
      for (const [resume, damage] of cases) {
        await stopped(path, 5, { out });
        await damage();
        const warnings: string[] = [];
        const [resumed] = await evaluate(path, {
          ...options,
          seed: 3,
          out,
          resume,
          warn: (message) => warnings.push(message),
        });
        expect(resumed.attacks).to.deep.equal(expected.attacks);
        await writeFile(out, '{"version":1,"evaluations":[]}');
        expect(warnings.join()).to.contain('it begins anew');
        if (resume === true)
          expect(warnings.join()).to.match(/is lost\. .*evaluation\.best\.interrupted\.json: expected JSON/);
      }
    }));

  it('needs a file, and the examples that were saved', () =>
    withRun(async (folder) => {
      expect((await rejection(evaluate(folder, { ...options, out: false, resume: true }))).message).to.contain('--out');
      const saveExamples = join(folder, 'examples');
      await stopped(folder, 2, { saveExamples });
      await rm(saveExamples, { recursive: true });
      const error = await rejection(evaluate(folder, { ...options, saveExamples, resume: true }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain('are missing or damaged');
    }));
});

describe('an evaluation of many images, or few', () => {
  before(() => tf.setBackend('cpu'));

  it('of 10,000 holds one batch of them in memory at a time', async () => {
    const count = 10_000;
    const images = new Uint8Array(count * 16).map((_, i) => (i * 31) % 256);
    const labels = new Uint8Array(count).map((_, i) => i % 2);
    const dataset = { ...tinyData(), test: { count, images, labels } };
    const bytesOf = 16 * 4 * 250;
    const before = tf.memory().numBytes;
    let most = 0;
    const { clean, attacks } = await measure(
      (batch) => {
        most = Math.max(most, tf.memory().numBytes - before);
        return tf.tidy(() => tf.slice(tf.reshape(batch, [-1, 16]), [0, 0], [-1, 2]) as tf.Tensor2D);
      },
      dataset,
      { threats: inNorm('linf', [0.1]), attacks: parseAttacks('pgd-2'), batchSize: 250 },
    );
    expect([clean.n, attacks[0].robust.n]).to.deep.equal([count, count]);
    expect(most).to.be.below(12 * bytesOf);
    expect(tf.memory().numBytes).to.equal(before);
  });

  it("of 10,000 takes no more of the engine's heap and of the process than of the first thousand", async () => {
    // A heap of its own: structures of earlier tests are freed whenever their garbage is collected.
    tf.removeBackend('equipoise');
    await onEngine(2);
    const { heap } = tf.backend() as EngineBackend;
    const count = 10_000;
    const images = new Uint8Array(count * 16).map((_, i) => (i * 31) % 256);
    const dataset = { ...tinyData(), test: { count, images, labels: new Uint8Array(count).map((_, i) => i % 2) } };
    const kernel = tf.randomNormal<tf.Rank.R4>([3, 3, 1, 8], 0, 1, 'float32', 1);
    const used = heap.used;
    const seen: { readonly heap: number; readonly resident: number }[] = [];
    const model = (batch: tf.Tensor4D) => {
      seen.push({ heap: heap.memory.buffer.byteLength, resident: memoryUsage().rss });
      return tf.tidy(() => {
        const features = tf.mean(tf.relu(tf.conv2d(batch, kernel, 1, 'same')), [1, 2]);
        return tf.slice(features, [0, 0], [-1, 2]) as tf.Tensor2D;
      });
    };
    const { attacks } = await measure(model, dataset, {
      threats: inNorm('linf', [0.1]),
      attacks: parseAttacks('pgd-3'),
      batchSize: 100,
    });
    expect(attacks[0].robust.n).to.equal(count);
    const [early, last] = [seen[Math.floor(seen.length / 10)], seen[seen.length - 1]];
    expect(last.heap).to.equal(early.heap);
    // What V8 keeps of garbage and compiled code; ten thousand images of float32 at every step would be far more.
    expect(last.resident - early.resident).to.be.below(100 * 2 ** 20);
    kernel.dispose();
    expect(heap.used).to.equal(used);
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  it('of one image works, right or wrong', async () => {
    for (const label of [0, 1]) {
      const { test, ...rest } = tinyData();
      const dataset = {
        ...rest,
        test: { count: 1, images: test.images.subarray(0, 16), labels: Uint8Array.of(label) },
      };
      const left = (batch: tf.Tensor4D) =>
        tf.tidy(() => tf.slice(tf.reverse(tf.mean(batch, [1, 3]), 1), [0, 0], [-1, 2]) as tf.Tensor2D);
      const { clean, attacks } = await measure(left, dataset, {
        threats: inNorm('linf', [0.001, 1]),
        attacks: parseAttacks('pgd-3,autoattack'),
      });
      expect(clean.correct).to.be.oneOf([0, 1]);
      for (const { robust } of attacks) expect(robust.correct).to.be.at.most(clean.correct);
    }
  });
});
