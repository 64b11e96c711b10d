// Attacks in a row, each on the images that those before it left standing.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { seedKey } from '../src/core/key.ts';
import { addCosts, NO_COST, workOf } from './loops/costs.ts';
import { disposeGoal, goalTensors, readGoal, takeGoal } from './loops/goals.ts';
import { lossAndLogits } from './loops/loss-gradient.ts';
import { checkPerturb, checkStart, report, samplesOf, sizeOf } from './loops/problem.ts';
import { crossEntropy } from './losses.ts';
import { judge } from './measure/success.ts';
import { verdicts } from './measure/verdicts.ts';
import { classifierOf } from './models/classifier-of.ts';
import { checkImages, readPixels } from './support/images.ts';
import { pixelBounds, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import { turns } from './support/yielding.ts';
import type {
  Attack,
  AttackedModel,
  Bounds,
  Cascade,
  CascadeResult,
  Cost,
  GivenGoal,
  PerturbOptions,
} from './types.ts';

const CASCADE_OPTIONS = {
  /** What the whole is called in results; default `cascade`. */
  name: title('cascade'),
  /** The lowest and the highest value of a pixel, those of the attacks; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;

/** Options of `cascade`. */
export type CascadeOptions = OptionsOf<typeof CASCADE_OPTIONS>;

/**
 * Several attacks in a row, each only on the images that none before it has solved; whether one is solved is what the model
 * predicts for the very image returned. Attack `name` has the key `foldIn(key, name)`.
 *
 * In mode `evaluate` an image comes back from the first attack that solves it, else as the first attack left it. In mode
 * `train` every attack runs on every image, and the one of highest cross-entropy comes back.
 *
 * @param attacks of one norm and epsilon, with different names, at least one
 */
export function cascade(attacks: readonly Attack[], options: CascadeOptions = {}): Cascade {
  const { name, bounds } = readOptions('cascade', options, CASCADE_OPTIONS);
  if (attacks.length === 0) throw new InputError('A cascade needs at least one attack, got an empty list.');
  const [{ norm, epsilon }] = attacks;
  attacks.forEach((attack, i) => {
    if (attack.norm !== norm || attack.epsilon !== epsilon) {
      throw new InputError(
        `All attacks of a cascade must have the same norm and epsilon, got ${norm} ${epsilon} (${attacks[0].name}) and ` +
          `${attack.norm} ${attack.epsilon} (${attack.name}). Make a cascade for each norm and epsilon.`,
      );
    }
    if (attack.name === 'clean' || attacks.findIndex((other) => other.name === attack.name) !== i) {
      throw new InputError(
        `The attacks of a cascade must have different names, and none may be called clean, got ${attacks.map((one) => one.name)}. Give names with the option name.`,
      );
    }
  });
  const run: Cascade['run'] = (model, images, goal, given = {}) => runAll(attacks, bounds, model, images, goal, given);
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) =>
      attacks
        // Each attack's examples are looked at once more.
        .flatMap(({ budget }) => [budget?.(classes) ?? NO_COST, { forwardPasses: 1, inputGradients: 0 }])
        .reduce(addCosts, { forwardPasses: 1, inputGradients: 0 }),
    attacks,
    run,
    perturb: async (...given) => (await run(...given)).adversarial,
  };
}

async function runAll(
  attacks: readonly Attack[],
  bounds: Bounds,
  model: AttackedModel,
  images: Tensor4D,
  goal: GivenGoal,
  options: PerturbOptions,
): Promise<CascadeResult> {
  checkPerturb(options);
  const { key = seedKey(0), mode = 'evaluate', start, onCost, onNonFinite, onProgress, signal } = options;
  const turn = turns(signal);
  checkImages(images);
  checkStart(start, images);
  // Also of the images that the model gets wrong, which no attack sees.
  const clean = await readPixels(images, bounds);
  const batch = images.shape[0];
  const wanted = await readGoal(goal, batch);
  const samples = samplesOf(options, batch);
  const forEach = <Value>(value: Value): Record<string, Value> =>
    Object.fromEntries(attacks.map(({ name }) => [name, value]));
  if (batch === 0) {
    return { adversarial: tf.clone(images), standing: { clean: [], ...forEach([]) }, cost: forEach(NO_COST) };
  }

  const { solved, classes } = await judge(model, images, wanted, turn);
  const once: Cost = { forwardPasses: batch, inputGradients: 0 };
  onCost?.(once);
  const cost: Record<string, Cost> = { clean: once, ...forEach(NO_COST) };
  const works = new Map(attacks.map((attack) => [attack.name, workOf(attack, classes)]));
  const total = [...works.values()].reduce((sum, work) => sum + work, 0);

  let left: readonly boolean[] = solved.map((is) => !is);
  const standing: Record<string, readonly boolean[]> = { clean: left };
  const size = sizeOf(images.shape);
  const result = Float32Array.from(clean);
  const best = new Float32Array(batch).fill(Number.NEGATIVE_INFINITY);
  let done = 0;
  const found = verdicts(
    model,
    attacks.map((attack) => [attack.name, attack]),
    images,
    wanted,
    {
      key,
      samples,
      rows: Array.from(left.keys()).filter((row) => mode === 'train' || left[row]),
      later: mode === 'train' ? 'all' : 'survivors',
      start,
      mode,
      onCost,
      onNonFinite,
      onProgress:
        onProgress &&
        ((progress, [name]) =>
          onProgress({ ...progress, share: (done + (works.get(name) as number) * progress.share) / total })),
      signal,
    },
  );
  for await (const { name, rows, adversarial, survived, cost: spent } of found) {
    cost[name] = spent;
    const losses = mode === 'train' ? await lossesOf(name, adversarial, rows) : undefined;
    const pixels = await adversarial.data();
    rows.forEach((i, row) => {
      const isBetter = losses ? losses[row] > best[i] : !survived[row] || name === attacks[0].name;
      if (!isBetter) return;
      best[i] = losses?.[row] ?? best[i];
      result.set(pixels.subarray(row * size, (row + 1) * size), i * size);
    });
    const fooled = new Set(rows.filter((_, row) => !survived[row]));
    left = left.map((is, i) => is && !fooled.has(i));
    standing[name] = left;
    done += works.get(name) as number;
  }
  // Attacks that had no image left to attack.
  for (const { name } of attacks) standing[name] ??= left;
  return { adversarial: tf.tensor4d(result, images.shape), standing, cost };

  async function lossesOf(name: string, adversarial: Tensor4D, rows: readonly number[]): Promise<Float32Array> {
    await turn();
    const own = goalTensors(takeGoal(wanted, rows));
    try {
      const { loss } = await report(lossAndLogits(classifierOf(model), crossEntropy, own, adversarial));
      const spent = { forwardPasses: rows.length, inputGradients: 0 };
      cost[name] = addCosts(cost[name], spent);
      onCost?.(spent);
      return loss;
    } finally {
      disposeGoal(own);
    }
  }
}
