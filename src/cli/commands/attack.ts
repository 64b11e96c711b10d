// The command that writes adversarial images.
import { basename } from 'node:path';
import { UsageError } from '../../core/errors.ts';
import { withEot } from '../../evaluation/attacks/named-attacks.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { DEFAULT_ATTACK, type Examples, fell, makeExamples } from '../../evaluation/examples/examples.ts';
import { modelFiles } from '../../evaluation/targets/target.ts';
import { checkWritable } from '../../files/folders.ts';
import { countFallen, type ExampleFiles, formatDistance, writeExamples } from '../../reporting/pictures/examples.ts';
import { datasetTitle } from '../../reporting/runs/runs.ts';
import { formatTable } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_FLAGS, ATTACK_NAMES, checkEot, checkRadii, oneAttack } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS } from '../flags/flags.ts';
import { MODEL_FLAGS, modelOptions, modelSource, TARGET } from '../flags/model-flags.ts';
import { NORMS, readNorm } from '../flags/setting-flags.ts';
import { folderBeside } from '../folder-beside.ts';
import { withBar } from '../with-bar.ts';

export const attack = defineCommand({
  positionals: [TARGET],
  flags: {
    count: {
      kind: 'number',
      integer: true,
      description: 'how many test images, the first of each class in turn; default: 10',
    },
    attack: {
      kind: 'text',
      value: 'NAME',
      suggestions: ATTACK_NAMES,
      description: 'the attack by name: pgd-20x2 (default), fgsm, apgd-100, square-5000, autoattack, …',
    },
    eot: ATTACK_FLAGS.eot,
    surrogate: {
      kind: 'text',
      value: 'PATH',
      description: 'another model to make the examples on, for a target without a gradient',
    },
    'only-correct': { kind: 'switch', description: 'take only images that the model classifies right' },
    norm: { kind: 'text', choices: NORMS, description: 'linf, l2 or l1; default: that of training' },
    epsilon: { kind: 'number', description: 'radius, such as 8/255; default: that of training' },
    seed: { kind: 'number', integer: true, group: 'Run', description: 'seed of the random numbers of the attack' },
    ...MODEL_FLAGS,
    out: {
      kind: 'text',
      value: 'FOLDER',
      description: "where the files go; default: the folder attack in the run's folder",
    },
    ...BACKEND_FLAGS,
  },
  examples: [
    ['equipoise attack runs/NAME', 'ten adversarial images, as PNG, safetensors and a page'],
    [
      'equipoise attack --module model.mjs --dataset cifar10 --surrogate runs/NAME',
      'examples of a surrogate, for a model without a gradient',
    ],
    ['equipoise attack runs/NAME --count 50 --attack pgd-50x10 --epsilon 8/255', 'more images, attacked harder'],
  ],
  async run({ positionals: [target], flags, json }, terminal) {
    const source = modelSource(target, flags.module);
    const count = flags.count ?? 10;
    if (!Number.isInteger(count) || count < 1) {
      throw new UsageError(`--count takes a whole number of at least 1, got ${count}.`);
    }
    checkEot(flags.eot);
    const spec = flags.attack === undefined ? undefined : oneAttack(flags.attack);
    const norm = flags.norm === undefined ? undefined : readNorm(flags.norm);
    checkRadii('epsilon', flags.epsilon === undefined ? undefined : [flags.epsilon]);
    const examples = await withBar(flags, 'image', terminal, async (bar) => {
      const [{ path }] = await modelFiles(source, modelOptions(flags));
      await checkWritable(folderOf(flags.out, path));
      return makeExamples(source, {
        ...modelOptions(flags),
        attack: flags.eot === undefined ? spec : withEot(spec ?? DEFAULT_ATTACK, flags.eot),
        surrogate: flags.surrogate,
        norm,
        epsilon: flags.epsilon,
        count,
        onlyCorrect: flags['only-correct'],
        seed: flags.seed,
        signal: terminal.signal,
        warn: terminal.warn,
        onProgress: (done, total) => bar.update(done, total, 'attack', ''),
        onAttackProgress: ({ attack: name, step, steps, left }) => bar.phase(`${name} ${step}/${steps}, ${left} left`),
      });
    });
    const files = await writeExamples(folderOf(flags.out, examples.path), examples);
    terminal.print(
      json ? JSON.stringify(summary(examples, files), null, 2) : describe(examples, files, flags.surrogate ?? null),
    );
  },
});

/** Where the examples of a model go. */
const folderOf = (out: string | undefined, model: string): string => out ?? folderBeside(model, 'attack');

const summary = (
  { target, surrogate, dataset, attack, norm, epsilon, seed, examples }: Examples,
  files: ExampleFiles,
) => ({
  target,
  surrogate,
  dataset,
  attack,
  norm,
  epsilon,
  seed,
  right: examples.filter(({ label, before }) => before === label).length,
  fell: examples.filter(fell).length,
  images: examples.map(({ index, label, before, after, probabilities, distance }, i) => ({
    index,
    label,
    before,
    after,
    probabilities: { before: Array.from(probabilities.before), after: Array.from(probabilities.after) },
    distance,
    file: files.images[i],
  })),
  tensors: files.tensors,
  page: files.page,
});

function describe(made: Examples, files: ExampleFiles, surrogate: string | null): string {
  const { target, dataset, attack, norm, epsilon, examples } = made;
  const rows = examples.map((example, i) => [
    basename(files.images[i]),
    dataset.classes[example.label],
    predictionText(dataset.classes, example),
    verdictOf(example),
    formatDistance(made, example),
  ]);
  return [
    `${attack} within ${norm} ${formatEpsilon(epsilon)} on ${target.checkpoint}, test images of ${datasetTitle(dataset)}`,
    '',
    formatTable(['image', 'label', 'prediction', '', norm], rows, 4),
    '',
    countFallen(made),
    ...(surrogate === null
      ? []
      : [
          `The examples were made on ${surrogate}, so this is a transfer figure: an attack on ${made.path} itself finds more, Square also without its gradient.`,
        ]),
    files.tensors,
    files.page,
  ].join('\n');
}

/** The predictions and how sure the model is of each, such as `7 (98 %) → 3 (71 %)`. */
function predictionText(
  classes: readonly string[],
  { before, after, probabilities }: Examples['examples'][number],
): string {
  const text = (predicted: number, sure: Float32Array) =>
    `${classes[predicted] ?? '–'} (${(100 * (sure[predicted] ?? 0)).toFixed(0)} %)`;
  return `${text(before, probabilities.before)} → ${text(after, probabilities.after)}`;
}

function verdictOf(example: Examples['examples'][number]): string {
  if (example.before !== example.label) return 'wrong without attack';
  return fell(example) ? 'fell' : 'held';
}
