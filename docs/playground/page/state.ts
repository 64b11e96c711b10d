// What the page knows, in one record. Work and controls change it; the functions here only read it.

import type { BackendName, ModelFacts, ModelSource, Outcome, Side } from '../worker/protocol.ts';
import { keyOf, type OwnModel, sourceOf } from './choices/models.ts';
import { SAMPLES, type SamplesName } from './choices/samples.ts';
import { fell } from './outcomes.ts';
import type { Picture } from './pictures.ts';
import { type Norms, readEpsilon, type Settings } from './settings.ts';
import { type BySide, bySide, SIDES } from './sides.ts';
import { type Point, radiiOf } from './sweep.ts';

/** A model and the attacks on it. */
export interface SideState {
  /** A person's own model, which the settings may choose. */
  own: OwnModel;
  /** The model that the worker has for this side, and its key. */
  loaded: { readonly key: string; readonly facts: ModelFacts } | null;
  /** The picture that is attacked, in the shape that the model takes. */
  picture: Picture | null;
  /** Why this side cannot be attacked, for people to read. */
  problem: string | null;
  /** Outcomes of attacks by their radius. */
  readonly outcomes: Map<number, Outcome>;
}

/** A backend that runs, and what is to be known of its arithmetic. */
export interface Running {
  readonly name: BackendName;
  readonly note: string;
}

/** Milliseconds that a step takes on a backend; null if the backend does not run here, or took too long. */
export interface Timing extends Running {
  readonly milliseconds: number | null;
}

export interface State {
  /** The norms that each attack has. */
  readonly norms: Norms;
  /** The backends that this browser may have. */
  readonly backends: readonly BackendName[];
  settings: Settings;
  /** A picture of a person's own, in place of a sample. */
  ownPicture: File | null;
  samples: { readonly name: SamplesName; readonly pictures: readonly Picture[] } | null;
  readonly sides: BySide<SideState>;
  running: Running | null;
  /** Timings of the backends, by the models that were timed. */
  readonly timings: Map<string, readonly Timing[]>;
  isTiming: boolean;
  isWorking: boolean;
  /** True once a person has cancelled the curve; the radius of the settings is attacked all the same. */
  isStopped: boolean;
}

/** The state of a page that has just been opened. */
export const initialState = (norms: Norms, backends: readonly BackendName[], settings: Settings): State => ({
  norms,
  backends,
  settings,
  ownPicture: null,
  samples: null,
  sides: bySide(() => ({
    own: { files: [], bounds: [0, 1] },
    loaded: null,
    picture: null,
    problem: null,
    outcomes: new Map(),
  })),
  running: null,
  timings: new Map(),
  isTiming: false,
  isWorking: false,
  isStopped: false,
});

/** The radius of the settings; null while it is written wrongly. */
export const epsilonOf = ({ settings: { epsilon, norm } }: State): number | null => readEpsilon(epsilon, norm).epsilon;

/** The radii of the slider and of the curve, ascending: those of the samples, and that of the settings. */
export function radiiOfCurve(state: State): readonly number[] {
  const { pictures, norm } = state.settings;
  const { most, step } = SAMPLES[pictures].radii[norm];
  return radiiOf(most, step, epsilonOf(state) ?? 0);
}

/** The sides that can be attacked. */
export const soundSides = ({ sides }: State): readonly Side[] => SIDES.filter((side) => sides[side].problem === null);

export const sourceAt = ({ settings, sides }: State, side: Side): ModelSource =>
  sourceOf(settings.pictures, settings[side], sides[side].own);

/** Key of the timings of the models that are shown. */
export const timingsKey = (state: State): string => SIDES.map((side) => keyOf(sourceAt(state, side))).join(' ');

/** The names of a model's classes. A person's own model has only numbers. */
export const classNamesOf = ({ settings }: State, side: Side): ((index: number) => string) => {
  const classes: readonly string[] = settings[side] === 'own' ? [] : SAMPLES[settings.pictures].classes;
  return (index) => classes[index] ?? `class ${index}`;
};

/** What each attack on a side did. */
export const pointsOf = ({ settings, sides }: State, side: Side): readonly Point[] =>
  [...sides[side].outcomes].map(([epsilon, outcome]) => ({ epsilon, fell: fell(outcome, settings.goal) }));
