// The page: settings and their controls, the attacks that they ask for, and showing what came of them.

import { formatEpsilon } from '../../../src/evaluation/epsilon.ts';
import type { BackendName, ModelFacts, Outcome, Request, Side } from '../worker/protocol.ts';
import { ATTACK_CHOICES, NORM_NOTES } from './choices/attack-choices.ts';
import { keyOf, type OwnModel, sourceOf, textsOf } from './choices/models.ts';
import { labelOfSample, loadSamples, SAMPLES, type SamplesName } from './choices/samples.ts';
import { byId, element, input, make, select, setOptions } from './elements.ts';
import { fell, probabilityOfLabel, strongest } from './outcomes.ts';
import { draw, fitted, inverted, type Picture, pictureOfFile } from './pictures.ts';
import {
  hashOf,
  type ModelChoice,
  type Norms,
  parseEpsilon,
  type Settings,
  settingsOf,
  usualSettings,
} from './settings.ts';
import { type ChartLine, drawChart, radiusAt } from './show/chart.ts';
import { type Column, makeColumn, type Shown } from './show/column.ts';
import { showNumbers } from './show/numbers.ts';
import { sentenceOf, verdictOf } from './show/verdict.ts';
import { type BySide, bySide, SIDES } from './sides.ts';
import { fallsAt, nextRadius, radiiOf } from './sweep.ts';
import { type Calculator, Cancelled, startCalculator } from './work/calculator.ts';
import { fastestOf, type Timing, timeBackends } from './work/fastest.ts';

const BACKEND_TITLES: { readonly [Name in BackendName]: string } = {
  wasm: 'WebAssembly',
  webgl: 'WebGL',
  webgpu: 'WebGPU',
  cpu: 'plain JavaScript',
};

/** What the page knows of a model and of the attacks on it. */
interface Bench {
  readonly column: Column;
  own: OwnModel;
  /** The key of the model that the worker has, and what it is. */
  loaded: { readonly key: string; readonly facts: ModelFacts } | null;
  picture: Picture | null;
  problem: string | null;
  /** By radius. */
  readonly outcomes: Map<number, Outcome>;
}

const bench: BySide<Bench> = bySide((side) => ({
  column: makeColumn(side),
  own: { files: [], bounds: [0, 1] },
  loaded: null,
  picture: null,
  problem: null,
  outcomes: new Map(),
}));

let calculator: Calculator;
let norms: Norms;
let backends: readonly BackendName[];
let settings: Settings;
/** The radius of the settings; null while it is written wrongly. */
let epsilon: number | null = null;
let ownPicture: File | null = null;
let samples: { readonly name: SamplesName; readonly pictures: readonly Picture[] } | null = null;
/** The backend that runs, and what was timed for which models. */
let running: { readonly name: BackendName; readonly note: string } | null = null;
const timings = new Map<string, readonly Timing[]>();
/** True once a person has cancelled the curve. */
let isStopped = false;
/** A change of the settings ends the work under way: whatever it finds is of an older turn. */
let turn = 0;
let isWorking = false;
let queue: Promise<void> = Promise.resolve();

const radii = (): readonly number[] => {
  const { most, step } = SAMPLES[settings.pictures].radii[settings.norm];
  return radiiOf(most, step, epsilon ?? 0);
};
const sourceAt = (side: Side) => sourceOf(settings.pictures, settings[side], bench[side].own);

/** The name of a class of a model; of a person's own model only its number is known. */
const classNames = (side: Side) => {
  const { classes } = SAMPLES[settings.pictures];
  return (index: number): string => (settings[side] === 'own' ? `class ${index}` : classes[index]);
};

const pointsOf = (side: Side) =>
  [...bench[side].outcomes].map(([radius, outcome]) => ({ epsilon: radius, fell: fell(outcome, settings.goal) }));

function requestAt(side: Side, radius: number): Request {
  const isLabelled = ownPicture === null && settings[side] !== 'own';
  const { attack, norm, steps, goal, seed, bytes } = settings;
  const label = settings.label ?? (isLabelled ? labelOfSample(settings.pictures, settings.picture) : null);
  return { attack, norm, epsilon: radius, steps, label, target: goal, seed, bytes };
}

/** Takes up settings; all but a change of the radius alone begins anew. */
function change(changes: Partial<Settings>): void {
  const isNew = Object.keys(changes).some((name) => name !== 'epsilon');
  settings = { ...settings, ...changes };
  history.replaceState(null, '', `#${hashOf(settings)}`);
  showSettings();
  if (isNew) begin();
  else if (epsilon !== null) attend();
}

/** Begins anew: what was found is of other settings. */
function begin(): void {
  isStopped = false;
  for (const side of SIDES) bench[side].outcomes.clear();
  proceed();
}

/** Goes on with what is to be done now, once what is under way has ended. */
function proceed(): void {
  const mine = ++turn;
  calculator.cancel();
  isWorking = true;
  render();
  queue = queue.then(async () => {
    if (mine === turn) await work(mine).catch(showProblem);
    if (mine !== turn) return;
    isWorking = false;
    render();
  });
}

/** Attacks within the radius that is shown now before any other. */
function attend(): void {
  if (isWorking) calculator.cancel();
  else if (SIDES.some((side) => epsilon !== null && !bench[side].outcomes.has(epsilon))) proceed();
  render();
}

async function work(mine: number): Promise<void> {
  if (epsilon === null) return;
  if (running === null || (settings.backend !== 'fastest' && settings.backend !== running.name)) {
    await startBackend(settings.backend === 'fastest' ? null : (settings.backend as BackendName));
  }
  for (const side of SIDES) await prepare(side);
  showClasses();
  for (;;) {
    if (mine !== turn) return;
    render();
    const job = nextJob();
    if (job === null) return;
    if (job.isOfCurve && settings.backend === 'fastest') await chooseFastest(mine);
    if (mine !== turn) return;
    const { outcomes, picture } = bench[job.side];
    try {
      const outcome = await calculator.attack(job.side, (picture as Picture).pixels, requestAt(job.side, job.radius));
      if (mine === turn) outcomes.set(job.radius, outcome);
    } catch (error) {
      if (error instanceof Cancelled) continue;
      if (mine === turn) bench[job.side].problem = messageOf(error);
    }
  }
}

interface Job {
  readonly side: Side;
  readonly radius: number;
  readonly isOfCurve: boolean;
}

/** The radius that is shown, on both sides; then radii of the curves, in turn. */
function nextJob(): Job | null {
  const able = SIDES.filter((side) => bench[side].problem === null);
  for (const side of able) {
    if (epsilon !== null && !bench[side].outcomes.has(epsilon)) return { side, radius: epsilon, isOfCurve: false };
  }
  if (isStopped) return null;
  const jobs = able.flatMap((side): Job[] => {
    const radius = nextRadius(radii(), pointsOf(side));
    return radius === null ? [] : [{ side, radius, isOfCurve: true }];
  });
  return jobs.sort((a, b) => bench[a.side].outcomes.size - bench[b.side].outcomes.size)[0] ?? null;
}

/** Starts a backend, by default the first one that runs. */
async function startBackend(name: BackendName | null): Promise<void> {
  const names = name === null ? backends : [name];
  for (const [i, tried] of names.entries()) {
    try {
      running = { name: tried, note: await calculator.useBackend(tried) };
      return;
    } catch (error) {
      if (i === names.length - 1) throw error;
    }
  }
}

/** The time of the backend that runs, which has its models already. */
async function timeRunning(): Promise<readonly Timing[]> {
  if (running === null) return [];
  const milliseconds = await calculator.time().catch(() => null);
  return [{ ...running, milliseconds }];
}

/** Times the backends on the models that are shown, once, and goes over to the fastest. */
async function chooseFastest(mine: number): Promise<void> {
  const sources = bySide(sourceAt);
  const key = `${keyOf(sources.left)} ${keyOf(sources.right)}`;
  if (!timings.has(key)) {
    element('progress-text').textContent = 'Timing the backends of this browser …';
    const others = backends.filter((name) => name !== running?.name && name !== 'cpu');
    timings.set(key, [...(await timeRunning()), ...(await timeBackends(others, sources))]);
  }
  const fastest = fastestOf(timings.get(key) ?? []);
  if (mine === turn && fastest !== null && fastest !== running?.name) await startBackend(fastest);
}

/** Loads the model of a side unless the worker has it, and fits the picture to it. */
async function prepare(side: Side): Promise<void> {
  const state = bench[side];
  state.problem = null;
  try {
    const source = sourceAt(side);
    if (source.kind === 'files' && source.files.length === 0) {
      throw new Error('Choose the files of a network above. They stay on this machine.');
    }
    const key = keyOf(source);
    if (state.loaded?.key !== key) {
      state.loaded = null;
      state.loaded = { key, facts: await calculator.load(side, source) };
    }
    const { inputShape } = state.loaded.facts;
    const picture = ownPicture
      ? await pictureOfFile(ownPicture, inputShape)
      : fitted((samples?.pictures ?? [])[settings.picture], inputShape);
    state.picture = settings.invert ? inverted(picture) : picture;
  } catch (error) {
    state.problem = messageOf(error);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A fault of everything: both columns say it, and show no pictures. */
function showProblem(error: unknown): void {
  for (const side of SIDES) bench[side].problem = messageOf(error);
}

/** Draws what is known now; at most once a frame. */
let isDrawing = false;
function render(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    showColumns();
    showCurve();
    showProgress();
  });
}

function shownOf(side: Side): Shown {
  const { problem, picture, outcomes } = bench[side];
  if (problem !== null) return { kind: 'problem', text: problem };
  const outcome = epsilon !== null && outcomes.has(epsilon) ? strongest(outcomes, epsilon, settings.goal) : null;
  if (outcome === null || picture === null) {
    return epsilon === null ? { kind: 'problem', text: 'No radius to attack within.' } : { kind: 'waiting' };
  }
  const className = classNames(side);
  return { kind: 'outcome', picture, outcome, className, verdict: verdictOf(outcome, settings.goal, className) };
}

function showColumns(): void {
  const shown = bySide(shownOf);
  for (const side of SIDES) bench[side].column.show(shown[side]);
  const isBusy = SIDES.some((side) => shown[side].kind === 'waiting');
  element('bench').ariaBusy = String(isBusy);
  const parts = SIDES.flatMap((side) => {
    const { subject } = textsOf(settings.pictures, settings[side]);
    const state = shown[side];
    return state.kind === 'outcome' ? [sentenceOf(subject, state, settings.goal)] : [];
  });
  const start = `Within ε = ${settings.epsilon.trim()} `;
  if (!isBusy) element('verdict').textContent = parts.length === 0 ? '' : `${start}${parts.join('; ')}.`;
  if (isBusy && element('verdict').textContent === '') element('verdict').textContent = 'Attacking …';
  showNumbers(
    byId('figures', HTMLTableElement),
    SIDES.flatMap((side) => {
      const state = shown[side];
      const { title } = textsOf(settings.pictures, settings[side]);
      return state.kind === 'outcome' ? [{ title, className: state.className, outcome: state.outcome }] : [];
    }),
    running === null ? '' : BACKEND_TITLES[running.name],
  );
}

function lineOf(side: Side): ChartLine {
  const { outcomes } = bench[side];
  const points = [...outcomes.keys()]
    .sort((a, b) => a - b)
    .map((radius) => ({
      epsilon: radius,
      probability: probabilityOfLabel(strongest(outcomes, radius, settings.goal) as Outcome),
    }));
  const falls = fallsAt(pointsOf(side));
  // The radius before is attacked as well, or the network may fall earlier.
  const all = radii();
  const isKnown = falls !== null && (falls === 0 || bench[side].outcomes.has(all[all.indexOf(falls) - 1]));
  return { side, points, falls: (isKnown && points.find((point) => point.epsilon === falls)) || null };
}

function showCurve(): void {
  const { step } = SAMPLES[settings.pictures].radii[settings.norm];
  const most = radii().at(-1) as number;
  const lines = SIDES.filter((side) => bench[side].problem === null).map(lineOf);
  const [first] = SIDES.flatMap((side) =>
    [...bench[side].outcomes.values()].slice(0, 1).map(({ label }) => classNames(side)(label)),
  );
  const title = `Probability of ${first === undefined ? 'the true class' : `“${first}”`} against ε`;
  element('curve-title').textContent = title;
  const said = lines.map(({ side, falls }) => {
    const name = textsOf(settings.pictures, settings[side]).title;
    return `${name} ${falls === null ? 'is not known to fall' : `falls at ${formatEpsilon(falls.epsilon)}`}`;
  });
  drawChart(element('chart'), {
    lines,
    epsilon,
    most: most === 0 ? step : most,
    step,
    format: formatEpsilon,
    description: `${title}. ${said.join('; ')}.`,
  });
  element('legend').replaceChildren(
    ...SIDES.map((side) => {
      const { title: name } = textsOf(settings.pictures, settings[side]);
      return make('li', { className: side }, make('span', { className: 'swatch' }), name);
    }),
  );
}

function showProgress(): void {
  const able = SIDES.filter((side) => bench[side].problem === null);
  const all = able.length * radii().length;
  const done = able.reduce((sum, side) => sum + bench[side].outcomes.size, 0);
  const isComplete = epsilon !== null && done >= all;
  element('curve').ariaBusy = String(isWorking);
  const progress = byId('progress', HTMLProgressElement);
  progress.max = Math.max(1, all);
  progress.value = done;
  progress.hidden = isComplete || all === 0;
  const button = byId('cancel', HTMLButtonElement);
  button.hidden = isComplete || all === 0 || epsilon === null;
  button.textContent = isWorking ? 'Cancel' : 'Continue';
  const { title, steps } = ATTACK_CHOICES[settings.attack];
  const attack = steps === null ? title : `${title} of ${settings.steps} ${steps.title.toLowerCase()}`;
  const seconds =
    able
      .flatMap((side) => [...bench[side].outcomes.values()])
      .reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
  const where = running === null ? '' : ` on ${BACKEND_TITLES[running.name]}`;
  element('progress-text').textContent =
    all === 0 || epsilon === null
      ? ''
      : isComplete
        ? `${attack} in ${settings.norm}, at ${radii().length} radii: ${seconds.toFixed(1)} s${where}.`
        : `${done} of ${all} attacks`;
  showBackend();
}

function showBackend(): void {
  const timed = timings.get(`${keyOf(sourceAt('left'))} ${keyOf(sourceAt('right'))}`) ?? [];
  const measured = timed.map(({ name, milliseconds }) =>
    milliseconds === null ? `${BACKEND_TITLES[name]} none` : `${BACKEND_TITLES[name]} ${milliseconds.toFixed(0)} ms`,
  );
  element('backend-note').textContent = [
    running && settings.backend === 'fastest' && `${BACKEND_TITLES[running.name]} runs.`,
    measured.length > 0 && `A step of both networks: ${measured.join(', ')}.`,
    running?.note,
  ]
    .filter(Boolean)
    .join(' ');
}

/** Sets the controls to what the settings are. */
function showSettings(): void {
  const { pictures, norm, attack } = settings;
  try {
    epsilon = parseEpsilon(settings.epsilon, norm);
    element('problem').textContent = '';
  } catch (error) {
    epsilon = null;
    element('problem').textContent = messageOf(error);
  }
  input('epsilon').ariaInvalid = String(epsilon === null);
  if (document.activeElement !== input('epsilon') || epsilon !== null) input('epsilon').value = settings.epsilon;
  if (epsilon === null) render();
  const all = radii();
  const slider = input('epsilon-slider');
  slider.max = String(all.length - 1);
  if (epsilon !== null) slider.value = String(all.indexOf(epsilon));
  slider.ariaValueText = `ε = ${settings.epsilon}`;
  slider.style.setProperty('--share', String(Number(slider.value) / (all.length - 1)));
  for (const side of SIDES) bench[side].column.choose(pictures, settings[side]);
  for (const kind of document.querySelectorAll<HTMLInputElement>('input[name="pictures"]'))
    kind.checked = kind.value === pictures;
  select('attack').value = attack;
  element('attack-note').textContent = ATTACK_CHOICES[attack].note;
  setOptions(
    select('norm'),
    norms[attack].map((name) => [name, name]),
  );
  select('norm').value = norm;
  element('norm-note').textContent = NORM_NOTES[norm];
  const { steps } = ATTACK_CHOICES[attack];
  element('steps-row').hidden = steps === null;
  element('steps-label').textContent = steps?.title ?? '';
  input('steps').value = String(settings.steps);
  input('seed').value = String(settings.seed);
  input('bytes').checked = settings.bytes;
  input('invert').checked = settings.invert;
  select('backend').value = settings.backend;
  showClasses();
}

/** Offers the classes as goals and as the true class. */
function showClasses(): void {
  const known = SIDES.find((side) => settings[side] !== 'own') ?? 'left';
  const count = Math.max(
    ...SIDES.map((side) => bench[side].loaded?.facts.classes ?? 0),
    1 + (settings.goal ?? 0),
    1 + (settings.label ?? 0),
  );
  const name = classNames(known);
  const classes = Array.from({ length: count }, (_, i): [string, string] => [String(i), name(i) ?? `class ${i}`]);
  setOptions(select('goal'), [['', 'any other class'], ...classes]);
  setOptions(select('label'), [['', ownPicture ? 'as each network reads it' : 'that of the picture'], ...classes]);
  select('goal').value = String(settings.goal ?? '');
  select('label').value = String(settings.label ?? '');
}

/** Offers the pictures of the chosen kind. */
async function showSamples(): Promise<void> {
  const { pictures: name, picture } = settings;
  if (samples?.name !== name) {
    samples = { name, pictures: await loadSamples(name) };
    const { one, classes } = SAMPLES[name];
    element('samples').replaceChildren(
      ...samples.pictures.map((sample, i) => {
        const button = make('input', { type: 'radio', name: 'sample', value: String(i) });
        button.ariaLabel = `${one} ${classes[labelOfSample(name, i)]}${i < classes.length ? '' : ', another one'}`;
        const canvas = make('canvas');
        draw(canvas, sample);
        return make('label', {}, button, canvas);
      }),
    );
  }
  for (const button of document.querySelectorAll<HTMLInputElement>('input[name="sample"]')) {
    button.checked = ownPicture === null && button.value === String(picture);
  }
}

/** Takes up other pictures: another one, of another kind, or a person's own. */
async function choosePicture(changes: Partial<Settings>): Promise<void> {
  if (changes.pictures !== undefined && changes.pictures !== settings.pictures) {
    const { left, right, attack, norm, backend, seed, steps } = settings;
    settings = { ...usualSettings(changes.pictures, attack, norm), left, right, backend, seed, steps };
  }
  settings = { ...settings, ...changes };
  await showSamples();
  change({ label: null });
}

const PATCHES: Readonly<Record<string, (control: HTMLInputElement | HTMLSelectElement) => Partial<Settings> | string>> =
  {
    attack: ({ value }) => {
      const attack = value as Settings['attack'];
      const norm = norms[attack].includes(settings.norm) ? settings.norm : norms[attack][0];
      const { steps, epsilon: usual } = usualSettings(settings.pictures, attack, norm);
      return { attack, norm, steps, epsilon: norm === settings.norm ? settings.epsilon : usual };
    },
    norm: ({ value }) => {
      const norm = value as Settings['norm'];
      return { norm, epsilon: SAMPLES[settings.pictures].radii[norm].usual };
    },
    steps: (control) => control.validationMessage || { steps: Number(control.value) },
    seed: (control) => control.validationMessage || { seed: Number(control.value) },
    goal: ({ value }) => ({ goal: value === '' ? null : Number(value) }),
    label: ({ value }) => ({ label: value === '' ? null : Number(value) }),
    backend: ({ value }) => ({ backend: value }),
    bytes: (control) => ({ bytes: (control as HTMLInputElement).checked }),
    invert: (control) => ({ invert: (control as HTMLInputElement).checked }),
  };

function listen(): void {
  byId('controls', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
  byId('controls', HTMLFormElement).addEventListener('change', ({ target }) => {
    const control = target as HTMLInputElement;
    if (control.type === 'number' && control.value === '')
      control.value = String(settings[control.id as 'steps' | 'seed']);
    const patch = PATCHES[control.id](control);
    if (typeof patch !== 'string') change(patch);
    else control.reportValidity();
  });
  const slide = (radius: number) => change({ epsilon: formatEpsilon(radius) });
  input('epsilon-slider').addEventListener('input', ({ target }) =>
    slide(radii()[Number((target as HTMLInputElement).value)]),
  );
  input('epsilon').addEventListener('change', ({ target }) =>
    change({ epsilon: (target as HTMLInputElement).value.trim() }),
  );
  const chart = element('chart');
  const pick = ({ clientX, buttons }: PointerEvent) => {
    if (buttons !== 1) return;
    const all = radii();
    const wanted = radiusAt(chart, clientX, all.at(-1) as number);
    slide(all.reduce((best, radius) => (Math.abs(radius - wanted) < Math.abs(best - wanted) ? radius : best)));
  };
  chart.addEventListener('pointerdown', pick);
  chart.addEventListener('pointermove', pick);
  new ResizeObserver(render).observe(chart);
  byId('cancel', HTMLButtonElement).addEventListener('click', () => {
    isStopped = isWorking;
    if (isStopped) {
      turn++;
      isWorking = false;
      calculator.cancel();
      render();
    } else proceed();
  });
  element('samples').addEventListener('change', ({ target }) => {
    ownPicture = null;
    input('picture').value = '';
    void choosePicture({ picture: Number((target as HTMLInputElement).value) });
  });
  element('pictures').addEventListener('change', ({ target }) => {
    void choosePicture({ pictures: (target as HTMLInputElement).value as SamplesName });
  });
  input('picture').addEventListener('change', () => {
    const [file] = input('picture').files ?? [];
    if (file === undefined) return;
    ownPicture = file;
    void choosePicture({});
  });
  for (const side of SIDES) {
    const { choice, files, bounds } = bench[side].column;
    choice.addEventListener('change', () => change({ [side]: choice.value as ModelChoice }));
    const takeUp = () => {
      const [low, high] = bounds.value.split(',').map(Number);
      bench[side].own = { files: [...(files.files ?? [])], bounds: [low, high] };
      begin();
    };
    files.addEventListener('change', takeUp);
    bounds.addEventListener('change', takeUp);
  }
  addEventListener('hashchange', () => {
    settings = settingsOf(location.hash, norms, backends);
    void choosePicture({ label: settings.label });
  });
}

async function start(): Promise<void> {
  calculator = startCalculator();
  ({ norms, backends } = await calculator.describe());
  settings = settingsOf(location.hash, norms, backends);
  element('missing').hidden = true;
  element('playground').hidden = false;
  element('columns').replaceChildren(...SIDES.map((side) => bench[side].column.root));
  element('pictures').replaceChildren(
    ...Object.entries(SAMPLES).map(([name, { title }]) =>
      make('label', {}, make('input', { type: 'radio', name: 'pictures', value: name }), title),
    ),
  );
  setOptions(
    select('attack'),
    Object.entries(ATTACK_CHOICES).map(([name, { title }]) => [name, title]),
  );
  setOptions(select('backend'), [
    ['fastest', 'the fastest here'],
    ...backends.map((name): [string, string] => [name, BACKEND_TITLES[name]]),
  ]);
  await showSamples();
  showSettings();
  listen();
  begin();
}

void start();
