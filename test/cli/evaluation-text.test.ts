// Evaluations as a matrix of attacks by radii, at several widths of the screen.
import { expect } from 'chai';
import { evaluationsText, formatMatrix, sameWeights } from '../../src/cli/terminal/evaluation-text.ts';
import { plain } from '../../src/cli/terminal/style.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { type AttackResult, CLAIM, type Evaluation } from '../../src/evaluation/types.ts';

const clean = accuracyOf(90, 100);

const result = (attack: string, epsilon: number, right: number): AttackResult => ({
  attack,
  norm: 'linf',
  epsilon,
  steps: null,
  stepSize: null,
  restarts: null,
  robust: accuracyOf(right, 100),
  survived: '',
  forwardPasses: 0,
  inputGradients: 0,
});

const attacks = [
  result('fgsm', 4 / 255, 70),
  { ...result('autoattack', 4 / 255, 60), stages: [{ attack: 'apgd-ce', robust: accuracyOf(65, 100), survived: '' }] },
  result('union', 4 / 255, 60),
  result('fgsm', 8 / 255, 40),
  result('autoattack', 8 / 255, 20),
  result('union', 8 / 255, 20),
];

const evaluation = (checkpoint: string, step: number, of = attacks): Evaluation =>
  ({
    claim: CLAIM,
    target: {
      checkpoint,
      format: 'checkpoint',
      sha256: `step ${step}`,
      preprocessing: null,
      epoch: step,
      step,
      sparsity: 0.9,
      nonzeros: 1234,
      flops: null,
      bytes: 0,
    },
    dataset: { name: 'synthetic', sha256: '', official: true, classes: [] },
    split: 'test',
    seed: 0,
    clean,
    attacks: of,
    alarms: [],
    forwardPasses: 0,
    inputGradients: 0,
    backend: 'cpu',
    version: '0',
  }) satisfies Evaluation;

const cellsOf = (text: string, attack: string) =>
  (text.split('\n').find((line) => line.startsWith(attack)) ?? '').trim().split(/ {2,}/);

describe('the matrix of an evaluation', () => {
  it('has a row an attack and a column a radius, with intervals', () => {
    const text = formatMatrix(clean, attacks, 80);
    expect(cellsOf(text, 'attack')).to.deep.equal(['attack', 'linf 4/255', 'linf 8/255']);
    expect(cellsOf(text, 'none')).to.deep.equal(['none', '90.0 % [82.6, 94.5]', '90.0 % [82.6, 94.5]']);
    expect(cellsOf(text, 'fgsm')).to.deep.equal(['fgsm', '70.0 % [60.4, 78.1]', '40.0 % [30.9, 49.8]']);
    expect(cellsOf(text, '  after apgd-ce')).to.deep.equal(['after apgd-ce', '65.0 % [55.3, 73.6]', '–']);
    expect(cellsOf(text, 'union')).to.deep.equal(['union', '60.0 % [50.2, 69.1]', '20.0 % [13.3, 28.9]']);
  });

  it('leaves out intervals, and then puts radii below each other, where a screen is narrow', () => {
    const at40 = formatMatrix(clean, attacks, 40);
    expect(cellsOf(at40, 'fgsm')).to.deep.equal(['fgsm', '70.0 %', '40.0 %']);
    const many = [1, 2, 3, 4, 5, 6].flatMap((level) => [result('pgd-50x10-ce', level / 255, 90 - level)]);
    const text = formatMatrix(clean, many, 40);
    for (const line of text.split('\n')) expect(line.length).to.be.at.most(40);
    for (const level of [1, 2, 3, 4, 5, 6])
      expect(text)
        .to.contain(`linf ${level}/255`)
        .and.to.contain(`${90 - level}.0 %`);
  });

  it('has a column for all of several norms, in the rows of clean images and of the union', () => {
    const robust = accuracyOf(11, 100);
    const across = [
      {
        threats: [
          { norm: 'linf', epsilon: 8 / 255 },
          { norm: 'l2', epsilon: 0.5 },
        ],
        robust,
        survived: '',
      },
    ] as const;
    const text = formatMatrix(clean, attacks, 100, across);
    expect(cellsOf(text, 'attack')).to.deep.equal(['attack', 'linf 4/255', 'linf 8/255', 'all norms']);
    expect(cellsOf(text, 'none')[3]).to.equal('90.0 % [82.6, 94.5]');
    expect(cellsOf(text, 'fgsm')[3]).to.equal('–');
    expect(cellsOf(text, 'union')[3]).to.match(/^11\.0 %/);
  });

  it('is one for checkpoints of equal weights', () => {
    const [best, last, other] = [evaluation('best', 3), evaluation('last', 3), evaluation('last', 4)];
    expect(sameWeights([best, last])).to.deep.equal([[best, last]]);
    expect(sameWeights([best, other])).to.deep.equal([[best], [other]]);
    // Averaged weights are of the same step, and other weights.
    const averaged = { ...last, target: { ...last.target, sha256: 'averaged', averaged: true } } as const;
    expect(sameWeights([last, averaged])).to.deep.equal([[last], [averaged]]);
    expect(evaluationsText([averaged], { columns: 80, style: plain })).to.match(
      /^last, epoch 3, averaged weights, 90 %/,
    );
    const text = evaluationsText([best, last], { columns: 80, style: plain });
    expect(text.match(/^union/gm)).to.have.length(1);
    expect(text).to.match(/^best and last, epoch 3, 90 % sparse, 1234 weights, on synthetic$/m);
    expect(text).to.match(/^Accuracies are of 100 images\./m);
    expect(evaluationsText([best, other], { columns: 80, style: plain }).match(/^union/gm)).to.have.length(2);
  });

  it('names alarms that were not checked as names, not as findings', () => {
    const alarms = (['fewer than 4 classes for DLR', 'one class only'] as const).map(
      (name) => ({ name, status: 'not checked', detail: '', help: '' }) as const,
    );
    expect(evaluationsText([{ ...evaluation('best', 3), alarms }], { columns: 80, style: plain })).to.match(
      /^alarms not checked: “fewer than 4 classes for DLR”, “one class only”$/m,
    );
  });
});
