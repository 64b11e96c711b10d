// The command `certify`: a lower bound on the accuracy of a smoothed classifier under every attack in l2.
import { UsageError } from '../../core/errors.ts';
import { certify as certifyModel } from '../../evaluation/certify/certify.ts';
import { type Certification, certifiedAt, contradictions } from '../../evaluation/certify/record.ts';
import { ABSTAINS, largestRadius } from '../../evaluation/certify/smooth.ts';
import { accuracyOf } from '../../evaluation/intervals.ts';
import { datasetTitle } from '../../reporting/runs/runs.ts';
import { formatAccuracy, formatTable, percent } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_NAMES, checkRadii, oneAttack } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS } from '../flags/flags.ts';
import { MODEL_FLAGS, modelOptions, modelSource } from '../flags/model-flags.ts';
import { withBar } from '../with-bar.ts';

export const certify = defineCommand({
  positionals: [{ name: 'target', description: "a run's folder, a checkpoint or another model", required: false }],
  flags: {
    sigma: { kind: 'number', description: 'standard deviation of the noise on every pixel, such as 0.25' },
    n0: { kind: 'number', description: 'draws that choose the class; default: 100' },
    n: { kind: 'number', description: 'draws that estimate its probability; default: 10000' },
    alpha: { kind: 'number', description: 'highest probability that a certificate is wrong; default: 0.001' },
    epsilon: {
      kind: 'numbers',
      description: 'l2 radii at which to attack the smoothed classifier as well, such as 0.25,0.5',
    },
    attack: {
      kind: 'text',
      value: 'NAME',
      suggestions: ATTACK_NAMES,
      description: 'the attack on it; default: pgd-20-eot20, each gradient the mean of 20 draws of the noise',
    },
    ...MODEL_FLAGS,
    'test-limit': { kind: 'number', description: 'how many test images; default: 100' },
    'batch-size': { kind: 'number', description: 'noisy images at once' },
    seed: { kind: 'number', description: 'seed of the noise' },
    out: { kind: 'text', description: "file to add the certificates to; default: the run's certificates.json" },
    ...BACKEND_FLAGS,
  },
  examples: [
    ['equipoise certify runs/NAME --sigma 0.25', 'class and l2 radius of 100 test images'],
    [
      'equipoise certify runs/NAME --sigma 0.25 --epsilon 0.25,0.5',
      'and the accuracy of the same smoothed classifier under attack',
    ],
    ['equipoise certify runs/NAME --sigma 0.5 --n 100000 --test-limit 500', 'as Cohen et al. (2019)'],
  ],
  async run({ positionals: [target], flags, json }, terminal) {
    const source = modelSource(target, flags.module);
    const { sigma } = flags;
    if (sigma === undefined) {
      throw new UsageError(
        'certify needs the standard deviation of the noise, such as --sigma 0.25. It is best that of training (--noise).',
      );
    }
    if (flags.attack !== undefined && flags.epsilon === undefined) {
      throw new UsageError('--attack needs the l2 radii at which to attack, such as --epsilon 0.25,0.5.');
    }
    const attack = flags.attack === undefined ? undefined : oneAttack(flags.attack);
    checkRadii('epsilon', flags.epsilon);
    const found = await withBar(flags, 'image', terminal, (bar) =>
      certifyModel(source, {
        ...modelOptions(flags),
        sigma,
        n0: flags.n0,
        n: flags.n,
        alpha: flags.alpha,
        epsilons: flags.epsilon,
        attack,
        testLimit: flags['test-limit'],
        batchSize: flags['batch-size'],
        seed: flags.seed,
        out: flags.out,
        signal: terminal.signal,
        warn: terminal.warn,
        onProgress: ({ done, total }) => bar.update(done, total, 'certifying and attacking', ''),
      }),
    );
    terminal.print(json ? JSON.stringify(found, null, 2) : describe(found));
  },
});

/** Steps of the table, in units of σ: beyond about 3.8 no radius can be certified with 10,000 draws. */
const STEPS = 9;

function describe(found: Certification): string {
  const { target, dataset, images, sigma, n0, n, alpha } = found;
  const abstained = images.filter(({ prediction }) => prediction === ABSTAINS).length;
  const radii = Array.from({ length: STEPS }, (_, i) => (i * sigma) / 2);
  return [
    `${target.checkpoint} smoothed with σ ${sigma}, on ${datasetTitle(dataset)}`,
    '',
    formatTable(
      ['l2 radius', 'certified accuracy'],
      radii.map((radius) => [String(Number(radius.toFixed(4))), `${percent(certifiedAt(found, radius))} %`]),
      1,
    ),
    '',
    `${images.length} images, ${abstained} abstentions; n0 ${n0}, n ${n}, α ${alpha} for each certificate.`,
    `With so many draws no radius above ${largestRadius(found).toPrecision(3)} can be certified, however robust the model is.`,
    'It is a lower bound for the smoothed classifier, and says nothing about the model without noise.',
    ...attackedText(found),
  ].join('\n');
}

/** A table of accuracies under attack, which is an upper bound for the same classifier. */
function attackedText(found: Certification): readonly string[] {
  const { attacked = [], images } = found;
  if (attacked.length === 0) return [];
  const broken = attacked.reduce((sum, attack) => sum + contradictions(found, attack), 0);
  return [
    '',
    formatTable(
      ['l2 radius', 'attack', 'certified accuracy', 'accuracy under attack [95 %]'],
      attacked.map(({ attack, epsilon, right }) => [
        String(Number(epsilon.toFixed(4))),
        attack,
        `${percent(certifiedAt(found, epsilon))} %`,
        formatAccuracy(accuracyOf(right.length, images.length)),
      ]),
      2,
    ),
    '',
    `The same smoothed classifier and images: robust accuracy lies between the two. Under attack it answers by the majority of ${attacked[0].votes} draws.`,
    ...(broken === 0
      ? []
      : [`${broken} images fell within their certified radius: more than a share α of them would be a fault.`]),
  ];
}
