import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { batchImages } from '../../src/data/batch.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Dataset } from '../../src/data/types.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';

// Made by tensorflowjs_converter, and by TensorFlow itself: scripts/keras_reference.py.
const foreign = new URL('../../../test/evaluation/foreign/', import.meta.url);
const reference = JSON.parse(readFileSync(new URL('keras.json', foreign), 'utf8')) as {
  right: Record<string, number>;
  logits: number[][];
};
const FIRST = 200;

/** The digits, and of the test images the first only. */
async function digits(): Promise<Dataset> {
  const { test, ...others } = await loadDataset('mnist10k');
  const images = test.images.subarray(0, FIRST * 28 * 28);
  return { ...others, test: { count: FIRST, images, labels: test.labels.subarray(0, FIRST) } };
}

for (const [folder, format] of [
  ['keras-graph', 'graph-model'],
  ['keras-layers', 'layers-model'],
] as const) {
  describe(`a network of Keras that TensorFlow's converter made a ${format}`, () => {
    before(() => useBackend('engine'));

    const path = fileURLToPath(new URL(folder, foreign));

    it("gives TensorFlow's logits, without the softmax that ends it", async () => {
      const images = await digits();
      const before = tf.memory().numTensors;
      const target = await loadTarget(path, { images });
      expect(target.warnings.join()).to.contain('softmax');
      expect(target.record).to.deep.include({ format, checkpoint: folder });
      const { length } = reference.logits;
      const batch = batchImages(images.test, [...Array(length).keys()], images.imageShape);
      const logits = target.classify(batch);
      const expected = reference.logits.flat();
      logits.dataSync().forEach((logit, i) => {
        expect(logit).to.be.closeTo(expected[i], 1e-4);
      });
      tf.dispose([batch, logits]);
      target.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });

    it("has TensorFlow's accuracy, and gradients through its fused layers that find what no rounding hides", async () => {
      const dataset = await digits();
      const [{ clean, attacks, alarms }] = await evaluate(path, {
        dataset,
        attacks: parseAttacks('pgd-10,square-50'),
        epsilons: [0.1],
        out: false,
      });
      expect(clean.correct).to.equal(reference.right[FIRST]);
      const [pgd, square] = attacks.map(({ robust }) => robust.value);
      expect(pgd).to.be.below(0.05);
      expect(square).to.be.within(pgd, clean.value);
      expect(alarms.filter(({ status }) => status === 'raised')).to.deep.equal([]);
    });
  });
}
