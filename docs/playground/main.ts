import * as tf from '@tensorflow/tfjs-core';
import { type AttackName, attackNorms, type Classifier, type NormName } from '../../attacks/index.ts';
import vgg16 from '../../zoo/vgg16-99.safetensors';
import { ATTACK_CHOICES, RADII } from './attack-choices.ts';
import { attackImage, type Outcome, probabilities, type Request } from './attack-image.ts';
import { type BackendName, precisionNote, startBackend, startFastest } from './backends.ts';
import { type Model, modelOfCheckpoint, modelOfFiles } from './models.ts';
import { draw, fitted, inverted, type Picture, perturbationOf, pictureOfFile } from './pictures.ts';
import robust from './robust.safetensors';
import { loadSamples, SAMPLES, type SamplesName, samplesFor } from './samples.ts';
import undefended from './undefended.safetensors';

interface ShippedModel {
  readonly title: string;
  readonly note: string;
  readonly samples: SamplesName;
  readonly bytes: Uint8Array;
}

const SHIPPED: Readonly<Record<string, ShippedModel>> = {
  undefended: {
    title: 'Digits, trained as usual',
    note: 'A small convolutional net, trained on handwritten digits without attacks.',
    samples: 'digits',
    bytes: undefended,
  },
  robust: {
    title: 'Digits, trained against attacks, 90 % sparse',
    note: 'One in ten of its weights is left; trained with TRADES and AGENT within linf 0.1.',
    samples: 'digits',
    bytes: robust,
  },
  'vgg16-99': {
    title: 'Photos, trained against attacks, 99 % sparse',
    note: 'VGG16 of the zoo, one in a hundred of its weights left; trained within linf 8/255. An attack takes some seconds.',
    samples: 'photos',
    bytes: vgg16,
  },
};
const OWN = 'own';
const FIRST_PICTURE = 2;

function byId<E extends HTMLElement>(id: string, type: abstract new () => E): E {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`The page has no ${type.name} #${id}.`);
}
const select = (id: string) => byId(id, HTMLSelectElement);
const input = (id: string) => byId(id, HTMLInputElement);
const canvas = (id: string) => byId(id, HTMLCanvasElement);
const element = (id: string) => byId(id, HTMLElement);

function setOptions(list: HTMLSelectElement, options: readonly (readonly [value: string, title: string])[]): void {
  const { value } = list;
  list.replaceChildren(...options.map(([option, title]) => new Option(title, option)));
  if (options.some(([option]) => option === value)) list.value = value;
}

/** What is shown at the moment; the model belongs to it. */
interface Shown {
  /** Which choice of the control the model was made of. */
  readonly choice: string;
  readonly model: Model;
}
let shown: Shown | null = null;
let offered: { readonly name: SamplesName; readonly pictures: readonly Picture[] } | null = null;

/** A change of the controls ends the attack that is under way: the next time it asks the model, this is thrown. */
class Superseded extends Error {}
let latest = 0;
let queue: Promise<void> = Promise.resolve();

/** Attacks as the controls say now, once whatever is under way has ended. */
function requestAttack(): void {
  const turn = ++latest;
  element('results').setAttribute('aria-busy', 'true');
  queue = queue.then(() => (turn === latest ? attack(turn) : undefined));
}

async function attack(turn: number): Promise<void> {
  const verdict = element('verdict');
  verdict.className = 'verdict';
  verdict.textContent = 'Attacking …';
  try {
    await startBackend(select('backend').value as BackendName);
    element('backend-note').textContent = precisionNote();
    const model = await chosenModel();
    const classify: Classifier = (images) => {
      if (turn !== latest) throw new Superseded();
      return model.classify(images);
    };
    const picture = await chosenPicture(model);
    const request = await readRequest(classify, picture);
    const outcome = await attackImage(classify, picture.pixels, picture.shape, request);
    if (turn === latest) show(request, picture, outcome);
  } catch (error) {
    if (error instanceof Superseded) return;
    verdict.classList.add('bad');
    verdict.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    if (turn === latest) element('results').setAttribute('aria-busy', 'false');
  }
}

/** The model that is chosen; the one before it is disposed. */
async function chosenModel(): Promise<Model> {
  const name = select('model').value;
  const files = [...(input('model-files').files ?? [])];
  const bounds = select('bounds').value.split(',').map(Number) as [number, number];
  const choice = name === OWN ? [name, bounds, ...files.map((file) => [file.name, file.lastModified])].join() : name;
  if (shown?.choice === choice) return shown.model;
  const model = name === OWN ? await modelOfFiles(files, bounds) : modelOfCheckpoint(SHIPPED[name].bytes, name);
  shown?.model.dispose();
  shown = { choice, model };
  const samples = SHIPPED[name]?.samples ?? samplesFor(model.inputShape);
  const isNew = offered?.name !== samples;
  if (isNew) await offerSamples(samples);
  const classes = Array.from({ length: model.classes }, (_, i): [string, string] => [String(i), className(i)]);
  setOptions(select('label'), [['', 'as the model reads it'], ...classes]);
  setOptions(select('goal'), [['', 'any other class'], ...classes]);
  const sample = chosenSample();
  if (isNew) select('label').value = sample === null ? '' : String(labelOf(Number(sample.value)));
  return model;
}

/** What a class of the shown model is called: by its name where the page knows it, else by its number. */
const className = (index: number): string => {
  const shipped = SHIPPED[select('model').value];
  return shipped === undefined ? String(index) : SAMPLES[shipped.samples].classes[index];
};

const chosenSample = () => document.querySelector<HTMLInputElement>('input[name="sample"]:checked');

async function chosenPicture({ inputShape }: Model): Promise<Picture> {
  const [file] = input('picture').files ?? [];
  const sample = chosenSample();
  const picture =
    sample === null && file
      ? await pictureOfFile(file, inputShape)
      : fitted((offered?.pictures ?? [])[Number(sample?.value ?? 0)], inputShape);
  return input('invert').checked ? inverted(picture) : picture;
}

async function readRequest(model: Classifier, picture: Picture): Promise<Request> {
  const number = (id: string): number => {
    const { valueAsNumber, validationMessage, labels } = input(id);
    if (Number.isFinite(valueAsNumber) && validationMessage === '') return valueAsNumber;
    throw new Error(`${labels?.[0]?.textContent}: ${validationMessage || 'a number is needed.'}`);
  };
  const chosen = select('label').value;
  const goal = select('goal').value;
  return {
    attack: select('attack').value as AttackName,
    norm: select('norm').value as NormName,
    epsilon: number('epsilon'),
    steps: number('steps'),
    label: chosen === '' ? await prediction(model, picture) : Number(chosen),
    target: goal === '' ? null : Number(goal),
    seed: number('seed'),
    bytes: input('bytes').checked,
  };
}

async function prediction(model: Classifier, { pixels, shape }: Picture): Promise<number> {
  const image = tf.tensor4d(pixels, [1, ...shape]);
  return indexOfLargest(await probabilities(model, image).finally(() => image.dispose()));
}

const indexOfLargest = (values: Float32Array): number => values.indexOf(Math.max(...values));

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What became of the image, in a sentence, and whether that is bad. */
function verdictOf(
  { label, target, attack, norm, epsilon }: Request,
  { before, after }: Outcome,
): readonly [string, string] {
  const [was, is] = [indexOfLargest(before), indexOfLargest(after)];
  const said = `${className(is)} (${percent(after[is])})`;
  const ball = `${ATTACK_CHOICES[attack].title} within ${norm} ${epsilon}`;
  if (target !== null && was === target)
    return [`The model says ${className(was)} already: there is nothing to attack.`, ''];
  if (target === null && was !== label) {
    return [
      `The model takes this ${className(label)} for ${className(was)} as it is: there is nothing to attack.`,
      'bad',
    ];
  }
  if (is === was) return [`It held: still ${said} under ${ball}.`, 'good'];
  if (target !== null && is !== target)
    return [`It held out against class ${className(target)}, but now says ${said}.`, 'bad'];
  return [`It fell: ${className(was)} became ${said} under ${ball}.`, 'bad'];
}

function show(request: Request, picture: Picture, outcome: Outcome): void {
  const { before, after, adversarial } = outcome;
  const [text, tone] = verdictOf(request, outcome);
  element('verdict').className = `verdict ${tone}`.trim();
  element('verdict').textContent = text;

  const change = perturbationOf(picture, adversarial);
  draw(canvas('clean'), picture);
  draw(canvas('perturbation'), change);
  draw(canvas('adversarial'), { pixels: adversarial, shape: picture.shape });
  const times = `×${change.magnification.toFixed(change.magnification < 10 ? 1 : 0)}`;
  const [was, is] = [indexOfLargest(before), indexOfLargest(after)];
  canvas('clean').ariaLabel = `The image, read as ${className(was)}`;
  canvas('perturbation').ariaLabel = `What the attack adds, magnified ${times}`;
  canvas('adversarial').ariaLabel = `The image with the perturbation added, read as ${className(is)}`;
  element('clean-caption').textContent = `· ${className(was)}`;
  element('perturbation-caption').textContent = times;
  element('adversarial-caption').textContent = `· ${className(is)}`;

  showPredictions(before, after);
  showFigures(outcome);
}

const MOST_ROWS = 10;

function showPredictions(before: Float32Array, after: Float32Array): void {
  const classes = [...before.keys()];
  const rows =
    classes.length <= MOST_ROWS
      ? classes
      : classes.sort((a, b) => Math.max(before[b], after[b]) - Math.max(before[a], after[a])).slice(0, MOST_ROWS);
  const body = element('predictions').querySelector('tbody') as HTMLTableSectionElement;
  body.replaceChildren(
    ...rows.map((row) => {
      const line = document.createElement('tr');
      const name = document.createElement('th');
      name.scope = 'row';
      name.textContent = className(row);
      line.append(name);
      for (const [kind, values] of Object.entries({ before, after })) {
        const cell = document.createElement('td');
        const bar = document.createElement('div');
        bar.className = `bar ${kind}`;
        if (indexOfLargest(values) === row) bar.classList.add('top');
        const drawn = document.createElement('span');
        drawn.style.setProperty('--share', `${100 * values[row]}%`);
        const number = document.createElement('span');
        number.textContent = (100 * values[row]).toFixed(1);
        bar.append(drawn, number);
        cell.append(bar);
        line.append(cell);
      }
      return line;
    }),
  );
}

function showFigures({ distances, forwardPasses, inputGradients, milliseconds }: Outcome): void {
  const figures: Readonly<Record<string, string>> = {
    'distance in linf': `${distances.linf.toFixed(4)} (${(255 * distances.linf).toFixed(1)}/255)`,
    'in l2': distances.l2.toFixed(3),
    'in l1': distances.l1.toFixed(2),
    'forward passes': String(forwardPasses),
    gradients: String(inputGradients),
    time: `${milliseconds.toFixed(0)} ms on ${tf.getBackend()}`,
  };
  element('figures').replaceChildren(
    ...Object.entries(figures).map(([title, figure]) => {
      const pair = document.createElement('div');
      const [term, value] = [document.createElement('dt'), document.createElement('dd')];
      term.textContent = title;
      value.textContent = figure;
      pair.append(term, value);
      return pair;
    }),
  );
}

/** Offers the norms of the chosen attack, and its usual number of steps. */
function attackChosen(): void {
  const name = select('attack').value as AttackName;
  const { note, steps } = ATTACK_CHOICES[name];
  element('attack-note').textContent = note;
  const { value } = select('norm');
  setOptions(
    select('norm'),
    attackNorms[name].map((norm) => [norm, RADII[norm].title]),
  );
  if (select('norm').value !== value) normChosen();
  element('steps-row').hidden = steps === null;
  element('steps-label').textContent = steps?.title ?? '';
  input('steps').value = String(steps?.usual ?? 1);
}

function normChosen(): void {
  const norm = select('norm').value as NormName;
  const { most, step, note } = RADII[norm];
  const usual = SAMPLES[offered?.name ?? 'digits'].radius[norm];
  Object.assign(input('epsilon-slider'), { max: String(most), step: String(step), value: String(usual) });
  input('epsilon').value = String(usual);
  element('epsilon-hint').textContent = note;
}

function modelChosen(): void {
  const name = select('model').value;
  element('own-model').hidden = name !== OWN;
  element('model-note').textContent = name === OWN ? '' : SHIPPED[name].note;
}

/** Offers pictures, with their usual radius. A picture of one's own stays the chosen one. */
async function offerSamples(name: SamplesName): Promise<void> {
  const isOwn = chosenSample() === null && (input('picture').files?.length ?? 0) > 0;
  offered = { name, pictures: await loadSamples(name) };
  normChosen();
  const { title, one, classes } = SAMPLES[name];
  element('samples').ariaLabel = title;
  element('samples').replaceChildren(
    ...offered.pictures.map((sample, i) => {
      const label = document.createElement('label');
      const button = Object.assign(document.createElement('input'), {
        type: 'radio',
        name: 'sample',
        value: String(i),
        checked: i === FIRST_PICTURE && !isOwn,
        ariaLabel: `${one} ${classes[labelOf(i)]}${i < classes.length ? '' : ', another one'}`,
      });
      const picture = document.createElement('canvas');
      draw(picture, sample);
      label.append(button, picture);
      return label;
    }),
  );
}

/** The class of a picture: a strip holds every class once, then every class again. */
const labelOf = (sample: number): number => sample % SAMPLES[offered?.name ?? 'digits'].classes.length;

function changed({ target }: Event): void {
  if (!(target instanceof HTMLInputElement || target instanceof HTMLSelectElement)) return;
  if (target.name === 'sample') {
    input('picture').value = '';
    select('label').value = String(labelOf(Number(target.value)));
  }
  switch (target.id) {
    case 'model':
      modelChosen();
      if (target.value === OWN && (input('model-files').files?.length ?? 0) === 0) return;
      break;
    case 'attack':
      attackChosen();
      break;
    case 'norm':
      normChosen();
      break;
    case 'epsilon':
      input('epsilon-slider').value = target.value;
      break;
    case 'picture': {
      if ((input('picture').files?.length ?? 0) === 0) return;
      const sample = chosenSample();
      if (sample) sample.checked = false;
      select('label').value = '';
      break;
    }
  }
  requestAttack();
}

async function start(): Promise<void> {
  element('missing').hidden = true;
  element('playground').hidden = false;
  setOptions(select('model'), [
    ...Object.entries(SHIPPED).map(([name, { title }]): [string, string] => [name, title]),
    [OWN, 'a model of your own …'],
  ]);
  setOptions(
    select('attack'),
    Object.entries(ATTACK_CHOICES).map(([name, { title }]) => [name, title]),
  );
  modelChosen();
  attackChosen();
  select('backend').value = await startFastest();
  await chosenModel();
  const form = byId('controls', HTMLFormElement);
  form.addEventListener('change', changed);
  input('epsilon-slider').addEventListener('input', ({ target }) => {
    input('epsilon').value = (target as HTMLInputElement).value;
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    requestAttack();
  });
  requestAttack();
}

start().catch((error: unknown) => {
  element('verdict').textContent = error instanceof Error ? error.message : String(error);
});
