import { startBackend } from '../../backends/start.ts';
import { readingFlags } from '../../checkpoints/pytorch/reading.ts';
import { UsageError } from '../../core/errors.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { evaluate as evaluateModel } from '../../evaluation/evaluate.ts';
import { flagsOf } from '../../evaluation/targets/preprocessing.ts';
import type { Evaluation } from '../../evaluation/types.ts';
import { datasetTitle } from '../../reporting/runs.ts';
import { formatAccuracy, formatSparsity, formatTable } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_FLAGS, attacksOf, checkRadii } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { MODEL_FLAGS, modelOptions, modelSource } from '../flags/model-flags.ts';
import { readNorm } from '../flags/setting-flags.ts';
import { showEvaluation } from '../terminal/progress.ts';

const EVALUATE_FLAGS = {
  ...ATTACK_FLAGS,
  norm: { kind: 'text', description: 'linf, l2 or l1; default: that of training' },
  epsilon: { kind: 'numbers', description: 'radii, such as 0,4/255,8/255; default: that of training' },
  steps: { kind: 'number', description: 'steps of attacks that do not say' },
  'step-size': { kind: 'number', description: 'step of PGD; default: 2.5·epsilon/steps' },
  restarts: { kind: 'number', description: 'restarts of attacks that do not say' },
  ...MODEL_FLAGS,
  'expect-clean': { kind: 'number', description: 'its known clean accuracy, such as 0.852; stops where it is another' },
  'test-limit': { kind: 'number', description: 'use only so many test images' },
  'batch-size': { kind: 'number', description: 'images at once' },
  seed: { kind: 'number', description: 'names the random numbers of the attacks' },
  out: { kind: 'text', description: "file to add the result to; default: the run's evaluation.json" },
  resume: { kind: 'switch', description: 'go on with an interrupted evaluation of the same settings' },
  'save-examples': { kind: 'text', description: 'folder for the adversarial examples of every attack (safetensors)' },
  ...BACKEND_FLAGS,
} as const satisfies Flags;

export const evaluate = defineCommand({
  positionals: [{ name: 'target', description: "a run's folder, a checkpoint or another model", required: false }],
  flags: EVALUATE_FLAGS,
  examples: [
    ['equipoise evaluate runs/NAME', 'clean and robust accuracy of its best and last checkpoint'],
    ['equipoise evaluate runs/NAME --attacks fgsm,pgd-50x10 --epsilon 0,4/255,8/255', 'attacks and radii of your own'],
    [
      'equipoise evaluate resnet18.safetensors --dataset cifar10 --epsilon 8/255 --protocol autoattack',
      'weights from PyTorch',
    ],
    ['equipoise evaluate --module model.mjs --dataset cifar10 --epsilon 8/255', 'a classifier of your own'],
  ],
  async run({ positionals: [target], flags, json }, terminal) {
    const source = modelSource(target, flags.module);
    const attacks = attacksOf(flags, openSettings(flags));
    checkRadii('epsilon', flags.epsilon);
    const norm = flags.norm === undefined ? undefined : readNorm(flags.norm);
    await startBackend(flags.backend ?? 'auto', {
      threads: flags.threads,
      revectorize: flags.revectorize,
      warn: terminal.note,
    });
    const progress = await showEvaluation(terminal);
    let evaluations: Evaluation[];
    try {
      evaluations = await evaluateModel(source, {
        ...modelOptions(flags),
        attacks,
        norm,
        epsilons: flags.epsilon,
        testLimit: flags['test-limit'],
        batchSize: flags['batch-size'],
        seed: flags.seed,
        out: flags.out,
        expectClean: flags['expect-clean'],
        resume: flags.resume,
        saveExamples: flags['save-examples'],
        signal: terminal.signal,
        warn: terminal.note,
        onProgress: progress.update,
        onStep: progress.step,
      });
    } finally {
      progress.stop();
    }
    terminal.print(json ? JSON.stringify(evaluations, null, 2) : evaluations.map(describe).join('\n\n'));
  },
});

/** Steps, their size and restarts fill in what the names of attacks leave open, so they need names. */
function openSettings(flags: FlagValues<typeof EVALUATE_FLAGS>): Parameters<typeof attacksOf>[1] {
  const { attacks, steps, restarts, 'step-size': stepSize } = flags;
  for (const name of ['steps', 'restarts', 'step-size'] as const) {
    if (flags[name] !== undefined && attacks === undefined) {
      throw new UsageError(`--${name} needs --attacks, such as --attacks pgd --${name} ${flags[name]}.`);
    }
  }
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(restarts === undefined ? {} : { restarts }),
    ...(stepSize === undefined ? {} : { stepSize }),
  };
}

function describe({ target, dataset, clean, attacks, alarms, claim }: Evaluation): string {
  const rows = attacks.flatMap(({ attack, norm, epsilon, robust, stages = [] }) => [
    [attack, `${norm} ${formatEpsilon(epsilon)}`, formatAccuracy(robust), String(robust.n)],
    ...stages.map((stage) => [`  after ${stage.attack}`, '', formatAccuracy(stage.robust), '']),
  ]);
  const raised = alarms.filter(({ status }) => status === 'raised');
  const unchecked = alarms.filter(({ status }) => status === 'not checked');
  return [
    describeTarget(target, dataset),
    '',
    formatTable(
      ['attack', 'radius', 'accuracy [95 %]', 'n'],
      [['none', '', formatAccuracy(clean), String(clean.n)], ...rows],
      2,
    ),
    '',
    `Accuracy under attack is an ${claim}.`,
    ...raised.map(({ name, detail, help }) => `alarm: ${name}: ${detail} See ${help}`),
    raised.length === 0 ? 'no alarm' : `${raised.length} of ${alarms.length} alarms`,
    ...(unchecked.length === 0 ? [] : [`not checked: ${unchecked.map(({ name }) => name).join(', ')}`]),
  ].join('\n');
}

function describeTarget(
  { checkpoint, format, epoch, sparsity, nonzeros, preprocessing, reading }: Evaluation['target'],
  dataset: Evaluation['dataset'],
): string {
  return [
    `${checkpoint}${epoch === null ? '' : `, epoch ${epoch}`}`,
    ...(format === 'checkpoint' ? [] : [format]),
    ...(sparsity === null ? [] : [`${formatSparsity(sparsity)} sparse`]),
    ...(nonzeros === null ? [] : [`${nonzeros} weights`]),
    ...(preprocessing === null ? [] : [flagsOf(preprocessing)]),
    ...(reading === undefined ? [] : [readingFlags(reading)]),
    `on ${datasetTitle(dataset)}`,
  ].join(', ');
}
