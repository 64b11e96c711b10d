// The command that measures clean and robust accuracy.
import { UsageError } from '../../core/errors.ts';
import { isCorruptionSet } from '../../data/sets/corruptions.ts';
import { evaluate as evaluateModel } from '../../evaluation/evaluate.ts';
import type { EvaluateOptions } from '../../evaluation/options.ts';
import { type EvaluatedPart, evaluatePart } from '../../evaluation/parts/shard.ts';
import type { Evaluation } from '../../evaluation/types.ts';
import { parseShard } from '../../sweeps/grid.ts';
import { defineCommand } from '../command.ts';
import { evaluateOnCorruptions } from '../evaluate-corruptions.ts';
import { evaluateOnExamples } from '../evaluate-examples.ts';
import { attacksOf, checkNorms, checkRadii } from '../flags/attack-flags.ts';
import { EVALUATE_FLAGS, type EvaluateFlags } from '../flags/evaluate-flags.ts';
import { modelOptions, modelSource, TARGET } from '../flags/model-flags.ts';
import { readNorm } from '../flags/setting-flags.ts';
import { startFromFlags } from '../start.ts';
import { evaluationsText } from '../terminal/evaluation-text.ts';
import { showEvaluation } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';

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
    [
      'equipoise evaluate runs/NAME --norms linf=8/255,l2=0.5,l1=12',
      'several norms: right only if right in all of them',
    ],
    ['equipoise evaluate runs/NAME --examples FOLDER', 'adversarial examples that were made on another network'],
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
    if (flags.examples !== undefined) return evaluateOnExamples(source, flags.examples, flags, json, terminal);
    const part = flags.shard === undefined ? undefined : parseShard(flags.shard);
    checkParts(flags);
    const attacks = attacksOf(flags, openSettings(flags));
    checkRadii('epsilon', flags.epsilon);
    checkNorms('norms', flags.norms, { norm: flags.norm, epsilon: flags.epsilon });
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
        norms: flags.norms,
        testLimit: flags['test-limit'],
        batchSize: flags['batch-size'],
        seed: flags.seed,
        out: flags.out,
        expectClean: flags['expect-clean'],
        resume: flags.resume,
        merge: flags.merge,
        saveExamples: flags['save-examples'],
        signal: terminal.signal,
        warn: terminal.warn,
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
function checkParts({ shard, merge, resume, 'save-examples': examples }: EvaluateFlags): void {
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
function openSettings(flags: EvaluateFlags): Parameters<typeof attacksOf>[1] {
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
