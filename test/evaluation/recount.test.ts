// The Python program beside saved examples, run by Python itself on the examples of small evaluations.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { useBackend } from '../backend.ts';
import { tinyData, withRun } from './tiny.ts';

/** The Python that has numpy: the first on the path, or the system's. */
const PYTHON = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import numpy']).status === 0,
);
const python = (...args: string[]) => spawnSync(PYTHON as string, args, { encoding: 'utf8' });

/** A network that decides by the same halves as the checkpoints of these tests. */
const NETWORK = `import numpy as np
def logits(images):
    left, right = images[:, :, :2].sum((1, 2, 3)), images[:, :, 2:].sum((1, 2, 3))
    return np.stack([left - right, right - left], 1)
`;

describe('the program that recounts saved examples', () => {
  const FILE = 'best-pgd-2-ce-linf-0.1.safetensors';
  let root: string;
  /** Images right under each attack, as the evaluation counted them. */
  let correct: ReadonlyMap<string, number>;

  before(async function () {
    if (PYTHON === undefined) this.skip();
    await useBackend('cpu');
    root = mkdtempSync(join(tmpdir(), 'equipoise-'));
    await withRun(async (folder) => {
      const [{ attacks }] = await evaluate(join(folder, 'checkpoints/best.safetensors'), {
        dataset: tinyData(),
        attacks: parseAttacks('fgsm,pgd-2'),
        testLimit: 30,
        batchSize: 8,
        out: false,
        saveExamples: join(root, 'whole'),
      });
      correct = new Map(attacks.map(({ attack, robust }) => [attack, robust.correct]));
    });
  });
  after(() => root && rmSync(root, { recursive: true }));

  /** A copy of the folder of examples. */
  const examples = (): string => {
    const folder = mkdtempSync(join(root, 'examples-'));
    cpSync(join(root, 'whole'), folder, { recursive: true });
    return folder;
  };

  /** Writes a file of examples anew with one number of a tensor changed. */
  function change(path: string, name: string, by: (value: number) => number): void {
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    const data = tensors[name].data.slice() as Float32Array;
    data[0] = by(data[0]);
    writeFileSync(
      path,
      encodeSafetensors({ ...tensors, [name]: { ...tensors[name], data } as StoredTensor }, metadata),
    );
  }

  it('finds the accuracy in all of several norms', () =>
    withRun(async (folder) => {
      const saveExamples = join(root, 'several');
      const [{ acrossNorms }] = await evaluate(join(folder, 'checkpoints/best.safetensors'), {
        dataset: tinyData(),
        attacks: parseAttacks('fgsm,pgd-2'),
        norms: { linf: 0.05, l1: 0.6 },
        testLimit: 30,
        out: false,
        saveExamples,
      });
      const { status, stdout, stderr } = python(join(saveExamples, 'recount.py'));
      expect(status, stdout + stderr).to.equal(0);
      expect(stdout).to.contain(`l1 0.6 + linf 0.05: ${acrossNorms?.[0].robust.correct} of 30`);
    }));

  it('finds the accuracies of the evaluation, by a network of its own too', () => {
    const folder = examples();
    const network = join(folder, 'net.py');
    writeFileSync(network, NETWORK);
    const { status, stdout, stderr } = python(join(folder, 'recount.py'), '--network', network);
    expect(status, stdout + stderr).to.equal(0);
    for (const [attack, file] of [
      ['fgsm', 'best-fgsm-linf-0.1.safetensors'],
      ['pgd-2-ce', FILE],
    ] as const) {
      expect(stdout).to.contain(`${file}: ${correct.get(attack)} of 30 right under attack`);
    }
    expect(stdout).to.match(new RegExp(`the network: ${correct.get('pgd-2-ce')} of 30, 0 images differ`));
    expect(stdout).to.contain(`union of 2 attacks on best, linf 0.1: ${correct.get('union')} of 30`);
    expect(correct.get('union')).to.be.within(1, 29);
  });

  for (const [what, tensor, by, message] of [
    ['outside of the ball', 'adversarial', (pixel: number) => (pixel > 0.5 ? 0 : 1), /further than 0\.1/],
    ['outside of the range of pixels', 'adversarial', () => -0.05, /outside of \[0, 1\]/],
    ['whose survival is another', 'survived', (survived: number) => 1 - survived, /1 logits contradict/],
    ['whose logits are not numbers', 'logits', () => Number.NaN, /1 logits contradict/],
  ] as const) {
    it(`refuses an example ${what}`, () => {
      const folder = examples();
      change(join(folder, FILE), tensor, by);
      const { status, stdout } = python(join(folder, 'recount.py'));
      expect(stdout).to.match(message);
      expect(status).to.equal(1);
    });
  }
});
