// The curve: the probability of the true class against ε for both models, with its title and legend.

import { formatEpsilon } from '../../../../src/evaluation/epsilon.ts';
import type { Outcome, Side } from '../../worker/protocol.ts';
import { textsOf } from '../choices/models.ts';
import { SAMPLES } from '../choices/samples.ts';
import { element, make } from '../elements.ts';
import { probabilityOfLabel, strongest } from '../outcomes.ts';
import { SIDES } from '../sides.ts';
import { classNamesOf, epsilonOf, pointsOf, radiiOfCurve, type State, soundSides } from '../state.ts';
import { fallsAt } from '../sweep.ts';
import { type ChartLine, drawChart } from './chart.ts';

export function showCurve(state: State): void {
  const { pictures, norm } = state.settings;
  const { step } = SAMPLES[pictures].radii[norm];
  const most = radiiOfCurve(state).at(-1) as number;
  const lines = soundSides(state).map((side) => lineOf(state, side));
  const title = titleOf(state);
  element('curve-title').textContent = title;
  const said = lines.map(({ side, falls }) => {
    const name = textsOf(pictures, state.settings[side]).title;
    return `${name} ${falls === null ? 'is not known to fall' : `falls at ${formatEpsilon(falls.epsilon)}`}`;
  });
  drawChart(element('chart'), {
    lines,
    epsilon: epsilonOf(state),
    most: most === 0 ? step : most,
    step,
    format: formatEpsilon,
    description: `${title}. ${said.join('; ')}.`,
  });
  element('legend').replaceChildren(
    ...SIDES.map((side) => {
      const { title: name } = textsOf(pictures, state.settings[side]);
      return make('li', { className: side }, make('span', { className: 'swatch' }), name);
    }),
  );
}

/** Title of the curve. The true class is known from the first outcome. */
function titleOf(state: State): string {
  const [name] = SIDES.flatMap((side) => {
    const [first] = state.sides[side].outcomes.values();
    return first === undefined ? [] : [`“${classNamesOf(state, side)(first.label)}”`];
  });
  return `Probability of ${name ?? 'the true class'} against ε`;
}

/** The line of a side. Each of its points is of the strongest attack within that radius, so the line only falls. */
function lineOf(state: State, side: Side): ChartLine {
  const { outcomes } = state.sides[side];
  const points = [...outcomes.keys()]
    .sort((a, b) => a - b)
    .map((radius) => ({
      epsilon: radius,
      probability: probabilityOfLabel(strongest(outcomes, radius, state.settings.goal) as Outcome),
    }));
  const falls = fallsAt(pointsOf(state, side));
  // The radius before is attacked as well, or the network may fall earlier.
  const radii = radiiOfCurve(state);
  const isKnown = falls !== null && (falls === 0 || outcomes.has(radii[radii.indexOf(falls) - 1]));
  return { side, points, falls: (isKnown && points.find(({ epsilon }) => epsilon === falls)) || null };
}
