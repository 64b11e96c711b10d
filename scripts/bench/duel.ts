import { type Action, actionsOf, PGD_STEPS } from './actions.ts';
import { type Differences, describeDifferences, loadAndCompare, rivalSide } from './agreement.ts';
import type { Context } from './context.ts';
import { type Batch, disposeNet, type Net } from './nets.ts';
import { fastestOf, milliseconds, type Side, type Times, takeTurns } from './turns.ts';

export const FORMATS = ['contiguous', 'channels_last'] as const;
const PYTORCH = 'pytorch ';

/** Times of one side; `pytorch` and the like find the form of it that was timed. */
export const timesOf = (times: Times, name: string): readonly number[] =>
  times.get(name) ?? [...times].find(([side]) => side.startsWith(name))?.[1] ?? [];

export interface Duel {
  /** Of every network by its name, and of PyTorch's faster memory format. */
  readonly times: ReadonlyMap<Action, Times>;
  /** From PyTorch, one a network; empty without it. */
  readonly differences: readonly Differences[];
}

/**
 * Compares networks of one shape with PyTorch, then times them and PyTorch in turns. PyTorch takes one turn a round, for a
 * dense network with masks costs it the same whatever they are. Takes over the networks.
 *
 * @param actions of which the first has a round of warm-up, to find PyTorch's faster memory format; a PGD step has none
 */
export async function duel(
  nets: readonly Net[],
  batch: Batch,
  actions: readonly Action[],
  context: Context,
): Promise<Duel> {
  const { python, rounds } = context;
  const differences: Differences[] = [];
  for (const net of python ? nets : []) {
    differences.push(await loadAndCompare(python as NonNullable<typeof python>, net, batch));
    context.log(`  ${net.name} agrees with PyTorch: ${describeDifferences(differences.slice(-1))}`);
  }
  const engines = nets.map((net) => ({ net, actions: actionsOf(net, batch) }));
  const times = new Map<Action, Times>();
  let formats: readonly string[] = python ? FORMATS : [];
  for (const action of actions) {
    const theirs = formats.map((side) =>
      rivalSide(python as NonNullable<typeof python>, PYTORCH + side, {
        net: nets[nets.length - 1].name,
        side,
        action,
        steps: PGD_STEPS,
      }),
    );
    const ours = engines.map(
      ({ net, actions }): Side => ({ name: net.name, run: () => milliseconds(actions[action]) }),
    );
    const sides = [...theirs, ...ours];
    const names = theirs.map(({ name }) => name);
    const timed = await takeTurns(sides, rounds, { warmUp: action !== 'pgd', choose: fastestOf(sides, names) });
    times.set(action, timed);
    if (action === 'attack') formats = FORMATS.filter((side) => timed.has(PYTORCH + side));
    context.log(`  ${action} timed`);
  }
  for (const { actions } of engines) actions.dispose();
  for (const net of nets) disposeNet(net);
  await python?.ask({ do: 'unload' });
  return { times, differences };
}
