// The rules between settings, and the messages about wrong ones.
import type { z } from 'zod';
import { norms } from '../../../attacks/norms/index.ts';
import type { NormName } from '../../../attacks/types.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { isModel, modelHint } from '../../models/models.ts';
import { methods } from '../../sparsity/methods.ts';
import { combinations } from '../adversary/several-norms/several-norms.ts';
import { formatSteps, parseSteps, unusedSteps } from '../adversary/steps-schedule.ts';
import { trainingAttacks } from '../adversary/training-attacks.ts';
import { isAdversarial, remembers, usesExtraImages } from './conditions.ts';
import {
  CONFIG_VERSION,
  SETTINGS,
  type Setting,
  settingRows,
  type TrainConfig,
  type TrainOptions,
} from './settings.ts';

/** The name of a setting in messages: `batchSize` in a file, `--batch-size` on the command line. */
export type NameOf = (setting: Setting) => string;

/** What is wrong with a combination of settings, each of which is in range. */
export function contradictions(given: TrainOptions, config: TrainConfig, name: NameOf): string[] {
  const problems: string[] = [];
  const sparseAtZero = given.sparsity === 0 && given.method !== undefined && given.method !== 'dense';
  for (const [key, { applies }] of settingRows) {
    if (given[key] === undefined || applies === undefined || applies.holds(config)) continue;
    const { to, by } = applies;
    if (sparseAtZero && applies.holds({ ...config, method: given.method as TrainConfig['method'] })) continue;
    const deciding = by.filter((on) => config[on] !== undefined);
    const got = deciding.map((on) => `${name(on)} ${show(config[on])}`).join(', ');
    problems.push(
      `${name(key)} ${show(given[key])} applies only to ${to}, got ${got}. Leave ${name(key)} out, or change ${deciding.map(name).join(' or ')}.`,
    );
  }
  return [...problems, ...RULES.flatMap((rule) => rule(given, config, name) ?? [])];
}

/** A rule between settings: returns a message if it is broken, else null. */
type Rule = (given: TrainOptions, config: TrainConfig, name: NameOf) => string | null;

const RULES: readonly Rule[] = [
  (_given, { model }, name) =>
    isModel(model) ? null : `${name('model')} must name a network, got ${show(model)}.${modelHint(model)}`,
  (_given, { method, sparsity }, name) =>
    method === 'dense' && sparsity > 0
      ? `${name('sparsity')} ${sparsity} needs a sparse method, such as rigl, got ${name('method')} dense. Choose a sparse method, or leave ${name('method')} out to get rigl.`
      : null,
  ({ method, sparsity, layerSparsities }, _config, name) =>
    method !== undefined && method !== 'dense' && sparsity === undefined && layerSparsities === undefined
      ? `${name('method')} ${method} needs a sparsity, such as ${name('sparsity')} 0.9, got none.`
      : null,
  (_given, { distribution, layerSparsities }, name) =>
    distribution === 'per-layer' && layerSparsities === undefined
      ? `${name('distribution')} per-layer needs a sparsity for at least one kernel, such as ${name('layerSparsities')} conv1.kernel=0.5, got none.`
      : null,
  ({ mean, std }, _config, name) =>
    mean?.length !== std?.length
      ? `${name('mean')} and ${name('std')} must be given together, with one number for each channel, got ${mean ? `${name('mean')} ${show(mean)}` : `no ${name('mean')}`} and ${std ? `${name('std')} ${show(std)}` : `no ${name('std')}`}.`
      : null,
  (_given, { method, distribution }, name) =>
    distribution === 'global' && methods[method].givenWeights === undefined
      ? `${name('distribution')} global keeps the largest weights of the network, so it applies to the methods one-shot and gradual; ${name('method')} ${method} draws its masks without a look at the weights. Choose another distribution, or one of these methods.`
      : null,
  (_given, { method, from }, name) =>
    method === 'one-shot' && from === undefined
      ? `${name('method')} one-shot prunes a trained network, and random weights are none: give a checkpoint or a run with ${name('from')}.`
      : null,
  (_given, config, name) =>
    usesExtraImages(config) && config.extraImages === undefined
      ? `${name('objective')} ${config.objective} trains on extra images with pseudo-labels: give their file with ${name('extraImages')}, or take trades, which is rst without them.`
      : null,
  (_given, config, name) =>
    config.attackBn === 'train' && !isAdversarial(config)
      ? `${name('attackBn')} train is about the training attack, and ${name('objective')} ${config.objective} has none. Leave ${name('attackBn')} out, or change that.`
      : null,
  (_given, { updateBegin = 0, updateEnd = 1 }, name) =>
    updateBegin >= updateEnd
      ? `${name('updateBegin')} ${updateBegin} is not before the end of the mask updates, ${name('updateEnd')} ${updateEnd}; make it smaller.`
      : null,
  (_given, { maskUpdate, updateInterval }, name) =>
    maskUpdate === 'instead-of-step' && updateInterval === 1
      ? `${name('maskUpdate')} instead-of-step with ${name('updateInterval')} 1 leaves no step that moves the weights; make the interval longer, or update after-step.`
      : null,
  (_given, { trainingAttack = 'pgd', stepsSchedule }, name) => {
    const most = trainingAttacks[trainingAttack].steps;
    const schedule = stepsSchedule === undefined ? null : parseSteps(stepsSchedule);
    return most !== null && schedule?.some(({ steps }) => steps > most)
      ? `${name('trainingAttack')} ${trainingAttack} takes one step, so a schedule of its steps has 0 and 1 only, got ${name('stepsSchedule')} ${stepsSchedule}. Use these, or ${name('trainingAttack')} pgd.`
      : null;
  },
  (_given, { norms: several }, name) =>
    several !== undefined && Object.keys(several).length < 2
      ? `${name('norms')} needs two norms or more, got ${show(several)}. For one norm give ${name('norm')} and ${name('epsilon')}.`
      : null,
  (_given, { norms: several = {} }, name) => {
    const wide = (Object.keys(several) as NormName[]).find(
      (norm) => (several[norm] ?? 0) > norms[norm].largestRadius(1),
    );
    return wide === undefined
      ? null
      : `${name('norms')}: expected at most 1 in ${wide}, in pixel units of [0, 1], got ${several[wide]}. Did you mean ${several[wide]}/255?`;
  },
  (_given, { norms: several, norm, epsilon }, name) =>
    several !== undefined && several[norm] !== epsilon
      ? `${name('norms')} and ${name('norm')} or ${name('epsilon')} both say what training is against: expected ${name('epsilon')} ${several[norm] ?? '(none)'} in ${norm}, got ${epsilon}. Leave out ${name('norm')} and ${name('epsilon')}.`
      : null,
  (_given, { combineNorms, trainingAttack = 'pgd' }, name) =>
    combineNorms !== undefined && combinations[combineNorms].ownSteps && trainingAttack !== 'pgd'
      ? `${name('combineNorms')} ${combineNorms} has steps of its own, so ${name('trainingAttack')} must be pgd, got ${trainingAttack}. Leave ${name('trainingAttack')} out, or use maximum, average or random.`
      : null,
  (_given, { attackWarmup = 0, epochs }, name) =>
    attackWarmup > epochs
      ? `${name('attackWarmup')} ${attackWarmup} is longer than the ${epochs} epochs of the run; give at most these.`
      : null,
  (_given, { agentPrepass, optimizer }, name) =>
    agentPrepass === 'published-bsr' && optimizer !== 'agent'
      ? `${name('agentPrepass')} published-bsr computes the coefficient c of the optimizer agent differently and needs that optimizer, got ${name('optimizer')} ${optimizer}. Use ${name('agentPrepass')} published.`
      : null,
  (_given, config, name) =>
    remembers(config) && !config.fixedBatches
      ? `${name('agentPrepass')} memory remembers the gradient of each batch for an epoch, so batches must keep their images, got ${name('fixedBatches')} false. Leave ${name('fixedBatches')} out.`
      : null,
  (_given, { agentSnapshotDelay = 0, updateInterval }, name) =>
    updateInterval !== undefined && agentSnapshotDelay > 0 && agentSnapshotDelay >= updateInterval
      ? `${name('agentSnapshotDelay')} must be below ${name('updateInterval')}, or no snapshot fits between two mask updates, got ${agentSnapshotDelay} and ${updateInterval}.`
      : null,
  (_given, { epsilon, dataset, norm }, name) =>
    Number.isNaN(epsilon)
      ? `${name('epsilon')} must be given for ${name('dataset')} ${dataset} and ${name('norm')} ${norm}; there is no default.`
      : null,
  (_given, { epsilon, norm }, name) =>
    epsilon > norms[norm].largestRadius(1)
      ? `${name('epsilon')}: expected at most 1 in ${norm}, in pixel units of [0, 1], got ${epsilon}. Did you mean ${epsilon}/255?`
      : null,
  ({ stepSize = 0 }, { norm }, name) =>
    stepSize > norms[norm].largestRadius(1)
      ? `${name('stepSize')}: expected at most 1 in ${norm}, in pixel units of [0, 1], got ${stepSize}. Did you mean ${stepSize}/255?`
      : null,
  (_given, { milestones }, name) =>
    milestones?.some((epoch, i) => i > 0 && epoch <= milestones[i - 1])
      ? `${name('milestones')} must be in ascending order, such as 50,75, got ${milestones.join(',')}.`
      : null,
  (_given, { milestones, epochs }, name) =>
    milestones?.some((epoch) => epoch >= epochs && epoch > 1)
      ? `${name('milestones')} ${milestones.join(',')} ${milestones.length === 1 ? 'does' : 'do'} not all come before the end of the ${epochs} epochs of the run, and behind it no learning rate falls; give smaller ones, or more ${name('epochs')}.`
      : null,
  (_given, { decayEvery = 1, epochs }, name) =>
    decayEvery > 1 && decayEvery >= epochs
      ? `${name('decayEvery')} ${decayEvery} is not below the ${epochs} epochs of the run, so its learning rate never falls; give fewer, or use ${name('schedule')} constant.`
      : null,
  (_given, { stepsSchedule, epochs }, name) => {
    const unused = unusedSteps((stepsSchedule && parseSteps(stepsSchedule)) || [], epochs);
    return unused.length === 0
      ? null
      : `${name('stepsSchedule')} ${stepsSchedule}: no epoch would have ${formatSteps(unused)}, since the steps are chosen at the start of an epoch, and the last of ${epochs} starts at ${Number(((epochs - 1) / epochs).toPrecision(3))}. Give other shares, or more ${name('epochs')}.`;
  },
  (_given, { nesterov, momentum }, name) =>
    nesterov && momentum === 0 ? `${name('nesterov')} needs ${name('momentum')} above 0, got 0.` : null,
];

/** A zod issue in words: the setting, what is allowed and what it got. */
export function explain(issue: z.core.$ZodIssue, input: unknown, name: NameOf): string {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    return issue.keys
      .map((key) => {
        const near = didYouMean(key, Object.keys(SETTINGS));
        return `There is no setting ${key}.${near ? ` Did you mean ${near}?` : ` Settings are ${Object.keys(SETTINGS).join(', ')}.`}`;
      })
      .join('\n');
  }
  if (issue.path.length === 0) return `A configuration must be a record of settings, got ${show(input)}.`;
  const [key, ...inside] = issue.path.map(String);
  const value = inside.reduce<unknown>(
    (record, part) => (record as Record<string, unknown>)?.[part],
    (input as Record<string, unknown>)[key],
  );
  if (key === 'version') {
    return `This version of Equipoise reads configurations of version ${CONFIG_VERSION}, got ${show(value)}. Use the version of Equipoise that wrote it, or train anew.`;
  }
  const where = [name(key as Setting), ...inside].join(' ');
  return `${where} must be ${allowed(issue)}, got ${show(value)}.${hint(key, value, issue)}`;
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return issue.origin === 'array'
        ? 'a list of at least one number'
        : `${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}`;
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}`;
    case 'invalid_type':
      return issue.expected === 'int'
        ? 'a whole number'
        : `a ${{ array: 'list of numbers', record: 'record of numbers by name' }[issue.expected as string] ?? issue.expected}`;
    default:
      return issue.message;
  }
}

function hint(key: string, value: unknown, issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    return suggestion(didYouMean(value, issue.values.map(String)));
  }
  if (key === 'mean' && typeof value === 'number' && value > 1) {
    return ` Pixels lie in [0, 1]: did you mean ${value}/255?`;
  }
  if ((key === 'sparsity' || key === 'layerSparsities') && typeof value === 'number' && value > 1 && value < 100) {
    return ` Sparsity is a fraction: did you mean ${value / 100}?`;
  }
  return '';
}

/** The length of the longest value that a message shows whole. */
const LONGEST_SHOWN = 200;

/** A value in a message as a flag takes it; only the beginning of a file's SHA-256 and of a very long text. */
export function show(value: unknown): string {
  const text = written(value).replace(/^([0-9a-f]{8})[0-9a-f]{56}$/, '$1…');
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, 50)}… (${text.length} characters)`;
}

function written(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, entry]) => `${key}=${entry}`)
      .join(',');
  }
  return String(value);
}
