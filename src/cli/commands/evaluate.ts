import { UsageError } from '../../core/errors.ts';
import { isCorruptionSet } from '../../data/corruptions.ts';
import { evaluate as evaluateModel } from '../../evaluation/evaluate.ts';
import type { EvaluateOptions } from '../../evaluation/options.ts';
import { type EvaluatedPart, evaluatePart } from '../../evaluation/shard.ts';
import type { Evaluation } from '../../evaluation/types.ts';
import { parseShard } from '../../sweeps/grid.ts';
import { defineCommand } from '../command.ts';
import { evaluateOnCorruptions } from '../evaluate-corruptions.ts';
import { evaluationsText } from '../evaluation-text.ts';
import { ATTACK_FLAGS, attacksOf, checkRadii } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { MODEL_FLAGS, modelOptions, modelSource, TARGET } from '../flags/model-flags.ts';
import { NORMS, readNorm } from '../flags/setting-flags.ts';
import { startFromFlags } from '../start.ts';
import { showEvaluation } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const EVALUATE_FLAGS = {
  ...ATTACK_FLAGS,
  norm: { kind: 'text', choices: NORMS, description: 'linf, l2 or l1; default: that of training' },
  epsilon: { kind: 'numbers', description: 'radii, such as 0,4/255,8/255; default: that of training' },
  steps: { kind: 'number', integer: true, group: 'Attack', description: 'steps of attacks that do not say' },
  'step-size': { kind: 'number', group: 'Attack', description: 'step of PGD; default: 2.5·epsilon/steps' },
  restarts: { kind: 'number', integer: true, group: 'Attack', description: 'restarts of attacks that do not say' },
  ...MODEL_FLAGS,
  'expect-clean': {
    kind: 'number',
    group: 'Model',
    description: 'its known clean accuracy, such as 0.852; stops where it is another',
  },
  baseline: {
    kind: 'text',
    value: 'FILE',
    description: 'cifar10-c, cifar100-c: results of another network, for the mCE against it',
  },
  'test-limit': { kind: 'number', integer: true, description: 'use only so many test images' },
  'batch-size': { kind: 'number', integer: true, group: 'Run', description: 'images at once' },
  seed: { kind: 'number', integer: true, group: 'Run', description: 'names the random numbers of the attacks' },
  out: { kind: 'text', value: 'FILE', description: "file to add the result to; default: the run's evaluation.json" },
  resume: { kind: 'switch', description: 'go on with an interrupted evaluation of the same settings' },
  shard: {
    kind: 'text',
    group: 'Run',
    description: 'attack only part i of n of the images, as 1/4, for several machines',
  },
  merge: {
    kind: 'texts',
    value: 'FILE',
    group: 'Run',
    description: 'files of all parts, to be put together; the other flags as for the parts',
  },
  'save-examples': {
    kind: 'text',
    value: 'FOLDER',
    group: 'Run',
    description: 'folder for the adversarial examples of every attack (safetensors)',
  },
  ...BACKEND_FLAGS,
} as const satisfies Flags;

export const evaluate = defineCommand({
  positionals: [TARGET],
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
    if (flags.dataset !== undefined && isCorruptionSet(flags.dataset)) {
      return evaluateOnCorruptions(source, flags.dataset, flags, json, terminal);
    }
    if (flags.baseline !== undefined) {
      throw new UsageError('--baseline applies to sets of corrupted images only: --dataset cifar10-c or cifar100-c.');
    }
    const part = flags.shard === undefined ? undefined : parseShard(flags.shard);
    checkParts(flags);
    const attacks = attacksOf(flags, openSettings(flags));
    checkRadii('epsilon', flags.epsilon);
    const norm = flags.norm === undefined ? undefined : readNorm(flags.norm);
    await startFromFlags(flags, terminal);
    const progress = await showEvaluation(terminal);
    let evaluations: Evaluation[];
    try {
      const options: EvaluateOptions = {
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
        merge: flags.merge,
        saveExamples: flags['save-examples'],
        signal: terminal.signal,
        warn: terminal.note,
        onProgress: progress.update,
        onStep: progress.step,
      };
      if (part !== undefined) {
        const parts = await evaluatePart(source, { ...options, part });
        progress.stop();
        printParts(parts, json, terminal);
        return;
      }
      evaluations = await evaluateModel(source, options);
    } finally {
      progress.stop();
    }
    terminal.print(json ? JSON.stringify(evaluations, null, 2) : evaluationsText(evaluations, terminal));
  },
});

/** @throws UsageError for flags that exclude each other */
function checkParts({ shard, merge, resume, 'save-examples': examples }: FlagValues<typeof EVALUATE_FLAGS>): void {
  const [first, second] = Object.entries({ merge, shard, resume, 'save-examples': examples })
    .filter(([, given]) => given !== undefined && given !== false)
    .map(([name]) => `--${name}`);
  if (second !== undefined && (merge !== undefined || shard !== undefined)) {
    throw new UsageError(`${first} and ${second} exclude each other. Give one of them; --shard continues by itself.`);
  }
}

function printParts(parts: readonly EvaluatedPart[], json: boolean, { print }: Terminal): void {
  if (json) {
    print(JSON.stringify(parts, null, 2));
    return;
  }
  const lines = parts.map(({ checkpoint, part, file }) => `${checkpoint}: part ${part} is in ${file}`);
  print(
    [...lines, 'Once all parts are there: the same command with --merge FILE,FILE,… in place of --shard.'].join('\n'),
  );
}

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
