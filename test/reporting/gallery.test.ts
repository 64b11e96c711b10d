import '@tensorflow/tfjs-backend-cpu';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { decode } from 'fast-png';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { breakDown } from '../../src/reporting/breakdown.ts';
import { drawGallery } from '../../src/reporting/pictures/gallery.ts';
import { tinyData, withRun } from '../evaluation/tiny.ts';
import { rejection } from '../rejection.ts';

const pixels = (png: string) => decode(Buffer.from(png, 'base64'));

describe('what a single run makes of each class', () => {
  before(() => tf.setBackend('cpu'));

  it('stops between calls of the model, and leaves no tensor behind', () =>
    withRun(async (folder) => {
      const target = await loadTarget(join(folder, 'checkpoints', 'last.safetensors'));
      const data = tinyData();
      const tensors = tf.memory().numTensors;
      const stop = new AbortController();
      let calls = 0;
      const stopping: typeof target = {
        ...target,
        classify: (images) => {
          // The first two calls are of images without attack.
          if (++calls === 3) stop.abort();
          return target.classify(images);
        },
      };
      const options = { norm: 'linf', epsilon: 0.1, images: data.test.count, survived: '' } as const;
      const error = await rejection(breakDown(stopping, data, { ...options, signal: stop.signal }));
      expect(error.name).to.equal('AbortError');
      expect(calls).to.equal(3);
      expect(tf.memory().numTensors).to.equal(tensors);
      target.dispose();
    }));
});

describe('a gallery', () => {
  before(() => tf.setBackend('cpu'));

  it('shows images, perturbations and what every net makes of them', () =>
    withRun(async (folder) => {
      const nets = [];
      for (const name of ['best', 'last']) {
        nets.push({ name, target: await loadTarget(join(folder, 'checkpoints', `${name}.safetensors`)) });
      }
      const data = tinyData();
      const tensors = tf.memory().numTensors;
      const gallery = await drawGallery(nets, data, { norm: 'linf', epsilon: 0.1, count: 2 });
      expect(tf.memory().numTensors).to.equal(tensors);
      expect(gallery.images.map(({ label }) => label).sort()).to.deep.equal(['left', 'right']);
      for (const { index, label, rows } of gallery.images) {
        expect(rows.map(({ attacked }) => attacked)).to.deep.equal(['best', 'last']);
        for (const { clean, adversarial, magnification, predictions } of rows) {
          const before = pixels(clean);
          const after = pixels(adversarial);
          expect([...before.data]).to.deep.equal([...data.test.images.subarray(16 * index, 16 * index + 16)]);
          const moved = [...before.data].map((value, i) => Math.abs(value - Number(after.data[i])));
          expect(Math.max(...moved)).to.be.within(1, 0.1 * 255 + 1);
          expect(magnification).to.be.at.least(4.99);
          for (const { clean: said, adversarial: then, right } of predictions) {
            expect(said).to.equal(label);
            expect(right).to.equal(then === label);
          }
        }
      }
      // The first net is shown losing.
      expect(gallery.images.every(({ rows }) => !rows[0].predictions[0].right)).to.equal(true);
      for (const { target } of nets) target.dispose();
    }));

  it('is left within one call of a model when its signal is aborted, and leaks nothing', () =>
    withRun(async (folder) => {
      const target = await loadTarget(join(folder, 'checkpoints', 'best.safetensors'));
      const abort = new AbortController();
      let calls = 0;
      const classify: typeof target.classify = (images) => {
        if (++calls === 3) abort.abort();
        return target.classify(images);
      };
      const nets = [{ name: 'best', target: { ...target, classify } }];
      const tensors = tf.memory().numTensors;
      const options = { norm: 'linf', epsilon: 0.1, signal: abort.signal } as const;
      const thrown = await drawGallery(nets, tinyData(), options).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.equal(abort.signal.reason);
      expect(calls).to.equal(3);
      expect(tf.memory().numTensors).to.equal(tensors);
      target.dispose();
    }));
});
