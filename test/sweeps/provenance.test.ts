import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { startBackend } from '../../src/backends/start.ts';
import { UsageError } from '../../src/core/errors.ts';
import { fingerprint, type Provenance, provenanceHere, whyRefused } from '../../src/sweeps/provenance.ts';
import { rejection } from '../rejection.ts';

describe('the provenance of a run', () => {
  const before = tf.getBackend();
  after(() => tf.setBackend(before || 'cpu'));

  it('holds a fingerprint that does not depend on threads and leaves no tensor behind', async () => {
    await startBackend('engine', { threads: 1, kernels: 'simd' });
    const alone = await fingerprint();
    const { numTensors } = tf.memory();
    await startBackend('engine', { threads: 2 });
    expect(await fingerprint()).to.equal(alone);
    expect(tf.memory().numTensors).to.equal(numTensors);
    // Simple SIMD rounds in the same way on every processor.
    expect(alone).to.equal(PORTABLE);
  });

  it('differs between backends', async () => {
    const { kernels } = await startBackend('engine', { threads: 1, kernels: 'simd' });
    const engine = await provenanceHere({ dataset: 'synthetic' }, { kernels });
    expect(engine).to.include({ backend: 'equipoise simd', kernels: 'simd' });
    await startBackend('cpu');
    const cpu = await provenanceHere({ dataset: 'synthetic' }, { kernels: null });
    expect(cpu.data).to.equal(engine.data);
    expect(cpu.fingerprint).not.to.equal(engine.fingerprint);
  });

  const here: Provenance = { version: '1.0.0', backend: 'equipoise', kernels: 'simd', fingerprint: 'aa', data: 'dd' };
  it('that is the same is no reason to refuse', () => {
    expect(whyRefused(here, { ...here })).to.equal(null);
  });
  for (const [field, value, says] of [
    ['version', '1.0.1', 'Equipoise 1.0.1, and here it is 1.0.0. Install the same version'],
    ['backend', 'cpu', 'the backend cpu, and here it is equipoise'],
    ['kernels', 'relaxed', 'the kernels relaxed, and here it is simd'],
    ['kernels', null, 'the kernels none'],
    ['data', 'ee', 'the data of SHA-256 ee'],
    ['fingerprint', 'bb', '--kernels simd'],
  ] as const) {
    it(`of another ${field} is refused and named`, () => {
      expect(whyRefused({ ...here, [field]: value }, here)).to.contain(says);
    });
  }
});

describe('the build of the kernels', () => {
  it('is refused where it is unknown, where another backend computes, and beside revectorize', async () => {
    for (const [choice, options, says] of [
      ['engine', { kernels: 'fast' }, 'simd, relaxed, relaxed-revec, got fast'],
      ['cpu', { kernels: 'simd' }, '--kernels simd with cpu'],
      ['engine', { kernels: 'simd', revectorize: true }, '--revectorize'],
    ] as const) {
      const error = await rejection(startBackend(choice, options));
      expect(error).to.be.instanceOf(UsageError);
      expect(error.message).to.contain(says);
    }
  });
});

/** The fingerprint of the kernels simd, on any machine. */
const PORTABLE = '183eaa92f455d20e';
