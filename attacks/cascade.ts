// Attacks in a row, each on the images that those before it left standing.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { foldIn, seedKey } from '../src/core/key.ts';
import { addCosts, NO_COST, workOf } from './loops/costs.ts';
import { disposeGoal, goalTensors, type ReadGoal, readGoal, takeGoal } from './loops/goals.ts';
import { lossAndLogits } from './loops/loss-gradient.ts';
import { checkPerturb, checkStart, report, samplesOf, sizeOf } from './loops/problem.ts';
import { takeRows } from './loops/rows.ts';
import { crossEntropy } from './losses.ts';
import { judge } from './measure/success.ts';
import { classifierOf } from './models/classifier-of.ts';
import { checkImages, readPixels } from './support/images.ts';
import { pixelBounds, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import { holding } from './support/tensor-scope.ts';
import { turns } from './support/yielding.ts';
import type { Attack, AttackedModel, AttackProgress, Bounds, Cost, GivenGoal, Goal, PerturbOptions } from './types.ts';

/** What a cascade of attacks found. */
export interface CascadeResult {
  /** [batch, height, width, channels]; owned by the caller. */
  readonly adversarial: Tensor4D;
  /** The images that still resist after `clean` and after each attack in turn: true if an image does not meet the goal yet. */
  readonly standing: Readonly<Record<string, readonly boolean[]>>;
  /** What `clean` and each attack asked of the model, the check of its results included. */
  readonly cost: Readonly<Record<string, Cost>>;
}

/** Attacks in a row, as one attack. */
export interface Cascade extends Attack {
  readonly attacks: readonly Attack[];
  /** Runs the cascade like `perturb`, and also returns what each attack did. */
  readonly run: (
    model: AttackedModel,
    images: Tensor4D,
    goal: GivenGoal,
    options?: PerturbOptions,
  ) => Promise<CascadeResult>;
}

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

const runAll = (
  attacks: readonly Attack[],
  bounds: Bounds,
  model: AttackedModel,
  images: Tensor4D,
  goal: GivenGoal,
  options: PerturbOptions,
): Promise<CascadeResult> =>
  holding(async ({ hold }) => {
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
    const cost: Record<string, Cost> = {};
    const spend = (name: string, spent: Cost) => {
      cost[name] = addCosts(cost[name] ?? NO_COST, spent);
      onCost?.(spent);
    };
    const judged = async (name: string, adversarial: Tensor4D, target: ReadGoal) => {
      const found = await judge(model, adversarial, target, turn);
      spend(name, { forwardPasses: found.solved.length, inputGradients: 0 });
      return found;
    };

    const standing: Record<string, readonly boolean[]> = {};
    const size = sizeOf(images.shape);
    const result = Float32Array.from(clean);
    const best = new Float32Array(batch).fill(Number.NEGATIVE_INFINITY);
    let left: readonly boolean[] = new Array<boolean>(batch).fill(true);
    let works: readonly number[] = [];
    if (batch > 0) {
      const { solved, classes } = await judged('clean', images, wanted);
      left = solved.map((is) => !is);
      works = attacks.map((attack) => workOf(attack, classes));
    }
    standing.clean = left;
    const total = works.reduce((sum, work) => sum + work, 0);
    let done = 0;
    for (const [number, attack] of attacks.entries()) {
      const { name } = attack;
      const rows = Array.from(left.keys()).filter((i) => mode === 'train' || left[i]);
      spend(name, { forwardPasses: 0, inputGradients: 0 });
      if (rows.length > 0) {
        const own = takeGoal(wanted, rows);
        const part = goalTensors(own);
        const before = done;
        const tell = (progress: AttackProgress) =>
          onProgress?.({ ...progress, share: (before + works[number] * progress.share) / total });
        try {
          const adversarial = hold(
            await attack.perturb(model, hold(takeRows(images, rows)), part, {
              key: foldIn(key, name),
              samples: rows.map((i) => samples[i]),
              start: start && hold(takeRows(start, rows)),
              mode,
              onCost: (spent) => spend(name, spent),
              onNonFinite,
              onProgress: onProgress && tell,
              signal,
            }),
          );
          const { solved: flags } = await judged(name, adversarial, own);
          const losses = mode === 'train' ? await lossesOf(name, adversarial, part) : undefined;
          const pixels = await adversarial.data();
          rows.forEach((i, row) => {
            const better = losses ? losses[row] > best[i] : flags[row] || number === 0;
            if (!better) return;
            best[i] = losses?.[row] ?? best[i];
            result.set(pixels.subarray(row * size, (row + 1) * size), i * size);
          });
          const now = new Set(rows.filter((_, row) => flags[row]));
          left = left.map((is, i) => is && !now.has(i));
          adversarial.dispose();
        } finally {
          disposeGoal(part);
        }
      }
      standing[name] = left;
      done += works[number];
    }
    return { adversarial: tf.tensor4d(result, images.shape), standing, cost };

    async function lossesOf(name: string, adversarial: Tensor4D, part: Goal): Promise<Float32Array> {
      await turn();
      const { loss } = await report(lossAndLogits(classifierOf(model), crossEntropy, part, adversarial));
      spend(name, { forwardPasses: adversarial.shape[0], inputGradients: 0 });
      return loss;
    }
  });
