// The cells of an evaluation, one for each attack and radius, and what each gives as a result and as evidence for alarms.

import { foldIn, type Key } from '../../core/key.ts';
import type { AttackEvidence } from '../alarms/alarms.ts';
import { attackLabel, attackSettings, buildAttack, eotOf } from '../attacks/named-attacks.ts';
import { accuracyOf } from '../intervals.ts';
import { packBits } from '../results/bits.ts';
import { isAcrossNorms } from '../threat.ts';
import type { AttackResult } from '../types.ts';
import type { Cell, CellState, MeasureOptions } from './types.ts';

/** The cells in order of the norms and radii, each with its attacks in order. */
export const cellsOf = ({ threats, attacks }: Pick<MeasureOptions, 'threats' | 'attacks'>, key: Key): Cell[] =>
  threats.flatMap(({ norm, epsilon }) =>
    attacks.map((spec): Cell => {
      const label = attackLabel(spec);
      const attack = epsilon === 0 ? null : buildAttack(spec, norm, epsilon);
      return { spec, label, norm, epsilon, attack, key: foldIn(key, label) };
    }),
  );

/** The cells by which progress is shown: those of the first radius above 0, or of all norms where these are several. */
export function shownCells(cells: readonly Cell[]): readonly number[] {
  const several = isAcrossNorms(cells);
  const epsilon = cells.find((cell) => cell.epsilon > 0)?.epsilon ?? 0;
  return [...cells.keys()].filter((i) => several || cells[i].epsilon === epsilon);
}

/** The sum of some numbers. */
export const sumOf = (values: Uint8Array | readonly number[]): number =>
  (values as readonly number[]).reduce((a, b) => a + b, 0);

/** What a cell found, as `evaluation.json` holds it. */
export const resultOf = (
  { spec, label, norm, epsilon }: Cell,
  { survived, standing, cost }: CellState,
): AttackResult => ({
  attack: label,
  norm,
  epsilon,
  ...attackSettings(spec, epsilon),
  ...(eotOf(spec) > 1 && { eot: eotOf(spec) }),
  robust: accuracyOf(sumOf(survived), survived.length),
  survived: packBits(survived),
  ...(Object.keys(standing).length === 0
    ? {}
    : {
        stages: Object.entries(standing).map(([attack, left]) => ({
          attack,
          robust: accuracyOf(sumOf(left), left.length),
          survived: packBits(left),
        })),
      }),
  ...cost,
});

/** What a cell found, as the alarms compare it. */
export const evidenceOf = ({ spec, label, norm, epsilon }: Cell, { survived, standing }: CellState): AttackEvidence => {
  const { steps, restarts } = attackSettings(spec, epsilon);
  return {
    attack: label,
    kind: spec.kind,
    loss: spec.loss ?? null,
    norm,
    epsilon,
    work: (steps ?? 1) * (restarts ?? 1),
    eot: eotOf(spec),
    correct: sumOf(survived),
    n: survived.length,
    stages: Object.entries(standing).map(([attack, left]) => ({ attack, correct: sumOf(left) })),
  };
};
