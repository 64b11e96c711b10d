import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { startBackend } from '../../src/backends/start.ts';
import { ENGINE } from '../../src/engine/index.ts';
import { train } from '../../src/training/train.ts';
import { tinyConfig } from '../training/tiny.ts';

/** The backends that always exist, and the one that these tests are run for. */
const backends = [...new Set(['cpu', 'engine', env.EQUIPOISE_TEST_BACKEND ?? 'engine'])];

/** What TensorFlow.js calls a backend. */
const tfjsName = (name: string) => (name === 'engine' ? ENGINE : name);

describe('training on several backends', () => {
  let base = '';
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
  });
  after(async () => {
    await rm(base, { recursive: true });
    await tf.setBackend('cpu');
  });

  // Plain steps: signed ones turn rounding into another pixel.
  const config = tinyConfig({
    optimizer: 'agent',
    agentPrepass: 'matched',
    norm: 'l2',
    epsilon: 0.5,
  });

  /** The loss of every step of a run, up to `stop`, and the warnings. */
  async function lossesOn(backend: string, out: string, stop = Number.POSITIVE_INFINITY) {
    await startBackend(backend, { threads: 1 });
    const abort = new AbortController();
    const losses: number[] = [];
    const warnings: string[] = [];
    const before = tf.memory().numTensors;
    await train(config, {
      out,
      resume: true,
      signal: abort.signal,
      onProgress: (event) => {
        if (event.kind === 'warning') warnings.push(event.message);
        if (event.kind !== 'step') return;
        losses.push(event.loss);
        if (event.step === stop) abort.abort();
      },
    });
    expect(tf.memory().numTensors).to.equal(before);
    return { losses, warnings };
  }

  function expectAgreement(losses: readonly number[], expected: readonly number[]): void {
    expect(losses.length).to.equal(expected.length);
    losses.forEach((loss, step) => {
      expect(loss, `step ${step + 1}`).to.be.closeTo(expected[step], 1e-3 * expected[step]);
    });
  }

  it(`has the same losses on ${backends.join(', ')}`, async () => {
    const { losses: expected } = await lossesOn('cpu', join(base, 'cpu'));
    expect(expected.length).to.equal(8);
    expect(new Set(expected).size).to.equal(8);
    for (const backend of backends.slice(1)) {
      const { losses, warnings } = await lossesOn(backend, join(base, backend));
      expectAgreement(losses, expected);
      expect(warnings).to.deep.equal([]);
    }
  });

  for (const from of backends) {
    for (const to of backends) {
      if (from === to) continue;
      it(`continues on ${to} from a checkpoint of ${from}, and says so`, async () => {
        const out = join(base, `${from}-${to}`);
        const { losses: whole } = await lossesOn('cpu', join(base, `whole-${from}-${to}`));
        const { losses: first } = await lossesOn(from, out, 5);
        const { losses: second, warnings } = await lossesOn(to, out);
        expectAgreement([...first, ...second], whole);
        expect(warnings.join()).to.match(
          new RegExp(`started on the backend ${tfjsName(from)}\\b.* and continues on ${tfjsName(to)}\\b`),
        );
      });
    }
  }
});
