import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import type { MeasureState } from '../../src/evaluation/measure/types.ts';

import { packBits } from '../../src/evaluation/results/bits.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { readInterrupted, writeInterrupted } from '../../src/evaluation/results/resume-file.ts';
import { rejection } from '../rejection.ts';
import { sampleRuns } from '../reporting/sample.ts';

const n = 21;
const state: MeasureState = {
  predictions: Int32Array.from({ length: n }, (_, i) => (i % 7 === 6 ? -1 : i % 3)),
  done: 3,
  seen: { outside: 0, successes: 5, unstable: 1, nonFinite: 2, withinNoise: 0, notNumbers: 0 },
  cells: [0, 1].map((cell) => ({
    survived: Uint8Array.from({ length: n }, (_, i) => (i + cell) % 2),
    standing: { fgsm: Uint8Array.from({ length: n }, (_, i) => Number(i > cell)) },
    cost: { forwardPasses: 100, inputGradients: 40 },
  })),
};
const identity = { 'the model': 'abc', '--epsilon': [0.1], '--test-limit': null };

/** A text with some characters replaced. */
const damages = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'0123456789aAzZ+/={}[]",:\u0000 ')), {
  minLength: 1,
  maxLength: 3,
});
const damaged = (text: string, changes: readonly (readonly [number, string])[]): string =>
  changes.reduce((now, [at, character]) => {
    const place = at % now.length;
    return now.slice(0, place) + character + now.slice(place + 1);
  }, text);

describe('files of evaluations that are damaged', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-damaged-'));
    path = join(folder, 'evaluation.json');
  });
  after(() => rm(folder, { recursive: true }));

  it('an interrupted evaluation is read as it was written', async () => {
    await writeInterrupted(path, identity, state, async () => {});
    expect(await readInterrupted(path, identity)).to.deep.equal(state);
    expect(await readInterrupted(path, { ...identity, 'the model': 'other' })).to.deep.equal(['the model']);
    expect(await readInterrupted(join(folder, 'missing.json'), identity)).to.equal(null);
  });

  it('an interrupted evaluation with anything changed gives its state, an error that names the file, or none of it', async () => {
    await writeInterrupted(path, identity, state, async () => {});
    const text = await readFile(path, 'utf8');
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damages, async (changes) => {
        await writeFile(path, damaged(text, changes));
        try {
          const found = await readInterrupted(path, identity);
          if (found !== null) expect(found).to.deep.equal(state);
        } catch (error) {
          expect(error).to.be.instanceOf(InputError);
          expect(String(error)).to.contain(path);
          refused++;
        }
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(refused).to.be.above(400);
  });

  it('an interrupted evaluation that is damaged is refused by the field', async () => {
    await writeInterrupted(path, identity, state, async () => {});
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"done":3', '"done":2'));
    expect(await rejection(readInterrupted(path, identity))).to.match(
      /evaluation\.json: sha256: expected the checksum/,
    );
    await writeFile(path, text.replace('"done":3', '"done":"3"'));
    expect(await rejection(readInterrupted(path, identity))).to.match(/evaluation\.json: done: expected number/);
  });

  const evaluations = sampleRuns()[0].evaluations.slice(0, 1);
  /** The record with one field replaced. */
  const withField = (fields: readonly (string | number)[], value: unknown): string => {
    const record = JSON.parse(JSON.stringify({ version: 1, evaluations }));
    const parent = fields.slice(0, -1).reduce((part, field) => part[field], record);
    parent[fields[fields.length - 1]] = value;
    return JSON.stringify(record);
  };

  it('an evaluation.json is read as it was written', async () => {
    await writeFile(path, JSON.stringify({ version: 1, evaluations }));
    expect(await readEvaluations(path)).to.deep.equal(evaluations);
    expect(await readEvaluations(join(folder, 'missing.json'))).to.deep.equal([]);
  });

  const first = ['evaluations', 0] as const;
  for (const [fields, value, expected] of [
    [['version'], 2, /version: expected 1/],
    [['evaluations'], {}, /evaluations: expected array, received object/],
    [[...first, 'clean', 'n'], 0, /evaluations\[0\]\.clean\.n: /],
    [[...first, 'clean', 'value'], 1.5, /evaluations\[0\]\.clean\.value: /],
    [[...first, 'clean', 'correct'], 3, /evaluations\[0\]\.clean\.value: expected correct \/ n/],
    [[...first, 'clean', 'high'], 0.2, /evaluations\[0\]\.clean\.low: expected Wilson's interval/],
    [[...first, 'attacks', 0, 'norm'], 'l7', /evaluations\[0\]\.attacks\[0\]\.norm: /],
    [[...first, 'attacks', 0, 'epsilon'], '8/255', /attacks\[0\]\.epsilon: expected number, received string/],
    [[...first, 'attacks', 1, 'survived'], '!!', /attacks\[1\]\.survived: expected one bit for each/],
    [
      [...first, 'attacks', 1, 'survived'],
      packBits(new Uint8Array(400)),
      /attacks\[1\]\.survived: expected as many bits/,
    ],
    [[...first, 'alarms', 0, 'status'], 'fine', /alarms\[0\]\.status: /],
    [[...first, 'target', 'epoch'], '9', /target\.epoch: expected number/],
    [[...first, 'dataset', 'classes'], null, /dataset\.classes: expected array/],
  ] as const) {
    it(`an evaluation.json with ${JSON.stringify(value).slice(0, 20)} as ${fields.join('.')} is refused by the field`, async () => {
      await writeFile(path, withField(fields, value));
      const message = String(await rejection(readEvaluations(path)));
      expect(message).to.contain(path).and.to.match(expected);
      expect(message).to.contain('evaluate again');
    });
  }

  it('an evaluation.json that is no JSON is refused', async () => {
    for (const text of ['', 'null', '{"version":1', '[]', '{}']) {
      await writeFile(path, text);
      expect(String(await rejection(readEvaluations(path)))).to.contain(path);
    }
  });
});
