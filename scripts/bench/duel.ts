// Times networks against PyTorch in its fastest form.
import { type Action, type AdversarialStep, ATTACK_STEPS, actionsOf } from './actions.ts';
import { type Differences, describeDifferences, loadAndCompare, rivalSide } from './agreement.ts';
import type { Context } from './context.ts';
import { type Batch, disposeNet, type Net } from './nets.ts';
import type { Rival } from './rival.ts';
import { fastestOf, milliseconds, type Side, type Times, takeTurns } from './turns.ts';

export const FORMATS = ['contiguous', 'channels_last'] as const;
/** Rounds that decide between a rival's forms, after a run of each that does not count. */
export const JUDGED = 2;

/** Times of one side; `pytorch` and the like find the form of it that was timed. */
export const timesOf = (times: Times, name: string): readonly number[] =>
  times.get(name) ?? [...times].find(([side]) => side.startsWith(name))?.[1] ?? [];

export interface Duel {
  /** Times by action, of every network by its name and of the PyTorch memory format that is faster at the action. */
  readonly times: ReadonlyMap<Action, Times>;
  /** Differences of every network from PyTorch, those of the last network in both memory formats; empty without PyTorch. */
  readonly differences: readonly Differences[];
}

/**
 * Compares networks of one shape with PyTorch, then times them and PyTorch in turns. PyTorch takes one turn a round, for a
 * dense network with masks costs it the same whatever they are: it has those of the last network. Takes over the networks.
 *
 * @param actions those that a PGD step consists of before it: it is long, so it has no warm-up of its own, and one judged round
 */
export async function duel(
  nets: readonly Net[],
  batch: Batch,
  actions: readonly Action[],
  context: Context,
): Promise<Duel> {
  const { python, rounds } = context;
  const masked = nets[nets.length - 1];
  const differences: Differences[] = [];
  for (const net of python ? nets : []) {
    const sides = net === masked ? FORMATS : FORMATS.slice(0, 1);
    const compared = await loadAndCompare(python as Rival, net, batch, { sides });
    differences.push(...compared);
    context.log(`  ${net.name} agrees with PyTorch: ${describeDifferences(compared)}`);
  }
  const engines = nets.map((net) => ({ net, actions: actionsOf(net, batch) }));
  const times = new Map<Action, Times>();
  for (const action of actions) {
    const theirs = python ? [await fasterFormat(python, masked.name, action)] : [];
    const ours = engines.map(
      ({ net, actions }): Side => ({ name: net.name, run: () => milliseconds(actions[action]) }),
    );
    times.set(action, await takeTurns([...theirs, ...ours], rounds, { warmUp: !isLong(action) }));
    context.log(`  ${action} timed${theirs.map(({ name }) => `, ${name}`).join('')}`);
  }
  for (const { actions } of engines) actions.dispose();
  for (const net of nets) disposeNet(net);
  await python?.ask({ do: 'unload' });
  return { times, differences };
}

const isLong = (action: Action): boolean => action === 'pgd';

/** PyTorch in the memory format that is faster at an action. */
function fasterFormat(python: Rival, net: string, action: Action): Promise<Side> {
  const asked = action in ATTACK_STEPS ? { action: 'pgd', steps: ATTACK_STEPS[action as AdversarialStep] } : { action };
  const forms = FORMATS.map((side) => rivalSide(python, `pytorch ${side}`, { net, side, ...asked }));
  return isLong(action) ? fastestOf(forms, 1, { warmUp: false }) : fastestOf(forms, JUDGED);
}
