// Exports in the hands of those they are for: PyTorch runs model.py, ONNX Runtime runs the ONNX file. Both give our logits.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { foldIn, uniform } from '../../src/core/key.ts';
import { exportModel } from '../../src/evaluation/export.ts';
import { apply } from '../../src/models/init.ts';
import { buildModel } from '../../src/models/models.ts';
import { checkpointOf, dispose, key, NETWORKS } from '../evaluation/any-network.ts';

const program = fileURLToPath(new URL('../../../test/python/logits.py', import.meta.url));
const IMAGES = 5;

describe('an export', () => {
  let folder = '';
  const expected = new Map<string, Float32Array>();
  const at = (network: string, file: string) => join(folder, network, file);

  before(async () => {
    await tf.setBackend('cpu');
    folder = mkdtempSync(join(tmpdir(), 'equipoise-python-'));
    for (const name of NETWORKS) {
      const checkpoint = checkpointOf(name);
      const { model, params, state } = checkpoint;
      const path = at(name, 'checkpoint.safetensors');
      await writeCheckpoint(path, checkpoint);
      const [height, width, channels] = model.inputShape;
      const pixels = uniform(foldIn(key, 'python'), IMAGES * height * width * channels);
      const { logits, channelsFirst } = tf.tidy(() => {
        const images = tf.tensor4d(pixels, [IMAGES, height, width, channels]);
        const result = apply(buildModel(model.name, model), params, state, images, { training: false });
        return {
          logits: result.logits.dataSync<'float32'>(),
          channelsFirst: tf.transpose(images, [0, 3, 1, 2]).dataSync<'float32'>(),
        };
      });
      expected.set(name, Float32Array.from(logits));
      const shape = [IMAGES, channels, height, width];
      const images = { dtype: 'F32', shape, data: Float32Array.from(channelsFirst) } as const;
      writeFileSync(at(name, 'images.safetensors'), encodeSafetensors({ images }));
      await exportModel(path, { to: 'pytorch', out: at(name, 'weights.safetensors') });
      await exportModel(path, { to: 'onnx', out: at(name, 'model.onnx') });
      dispose(checkpoint);
    }
    // One process for all networks, since importing PyTorch takes seconds.
    execFileSync(env.EQUIPOISE_TEST_PYTHON ?? 'python3', [program, ...NETWORKS.map((name) => join(folder, name))], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const name of NETWORKS) {
    for (const software of ['PyTorch', 'ONNX Runtime']) {
      it(`of ${name} has our logits in ${software}`, () => {
        const { tensors } = decodeSafetensors(readFileSync(at(name, 'logits.safetensors')));
        const logits = tensors[software].data as Float32Array;
        const ours = expected.get(name) as Float32Array;
        expect(logits).to.have.length(ours.length);
        const largest = ours.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        logits.forEach((logit, i) => {
          expect(logit).to.be.closeTo(ours[i], 1e-4 * largest);
        });
      });
    }
  }
});
