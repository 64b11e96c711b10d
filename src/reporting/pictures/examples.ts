// Adversarial examples for a report: their files, and how they are shown.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../checkpoints/files/atomic-file.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { type Example, type Examples, encodeExamples, fell } from '../../evaluation/examples/examples.ts';
import { type Guard, withLock } from '../../files/lock.ts';
import { type Html, html } from '../page/html.ts';
import { htmlDocument } from '../page/page-parts.ts';
import { datasetTitle } from '../runs/runs.ts';
import { drawPictures, showPictures, showVerdict } from './pictures.ts';
import { encodePng } from './png.ts';

/** The files of adversarial examples, by what they hold. */
export interface ExampleFiles {
  /** One PNG an example, the adversarial image, in order of the examples. */
  readonly images: readonly string[];
  readonly tensors: string;
  readonly page: string;
}

const PICTURE = /^test-\d{5,}\.png$/;

/** The file of the adversarial image made of a test image. */
const pictureName = (index: number): string => `test-${String(index).padStart(5, '0')}.png`;

/**
 * Writes adversarial examples to a folder: `test-NUMBER.png` each, `examples.safetensors`, and `examples.html` with clean
 * image, perturbation and adversarial image side by side. Each file is written in one piece. Pictures of earlier examples
 * there are removed; other files stay. Two processes write one after the other, so the files belong together.
 */
export async function writeExamples(folder: string, examples: Examples): Promise<ExampleFiles> {
  return withLock(join(folder, 'attack.lock'), { name: folder, waits: true }, (guard) =>
    writeFiles(folder, examples, guard),
  );
}

async function writeFiles(folder: string, examples: Examples, guard: Guard): Promise<ExampleFiles> {
  const names = examples.examples.map(({ index }) => pictureName(index));
  for (const [i, { adversarial }] of examples.examples.entries()) {
    await writeAtomically(join(folder, names[i]), encodePng(adversarial, examples.imageShape), { guard });
  }
  const files = {
    images: names.map((name) => join(folder, name)),
    tensors: join(folder, 'examples.safetensors'),
    page: join(folder, 'examples.html'),
  };
  await writeAtomically(files.tensors, encodeExamples(examples), { guard });
  await writeAtomically(files.page, renderExamples(examples), { guard });
  for (const name of await readdir(folder)) {
    if (PICTURE.test(name) && !names.includes(name)) await rm(join(folder, name), { force: true });
  }
  return files;
}

/** How many of the images fell, in words. */
export function countFallen({ examples }: Pick<Examples, 'examples'>): string {
  const right = examples.filter(({ label, before }) => before === label).length;
  const wrong = examples.length - right;
  return `${examples.filter(fell).length} of ${right} images that were right fell${wrong === 0 ? '' : `; ${wrong} ${wrong === 1 ? 'was' : 'were'} wrong without attack`}.`;
}

/** The contact sheet of examples as one HTML page. */
export function renderExamples(made: Examples): string {
  const { target, surrogate, dataset, attack, norm, epsilon, seed, imageShape, examples } = made;
  const title = `${attack} on ${target.checkpoint}`;
  const card = (example: Example): Html => {
    const { index, label, before, after, image, adversarial } = example;
    const [unit, perturbed] = [image, adversarial].map((bytes) => Float32Array.from(bytes, (byte) => byte / 255));
    const verdict = { clean: dataset.classes[before], adversarial: dataset.classes[after], right: after === label };
    return html`<article class="card"><h3>${dataset.classes[label]} <span class="muted small">test image ${index}</span></h3>
${showPictures(drawPictures(unit, perturbed, imageShape), { index, label: dataset.classes[label] })}
<ul class="verdicts">${showVerdict(verdict)}</ul>
${probabilitiesTable(dataset.classes, example)}
<p class="small muted">${before === label ? `${norm} distance ${formatDistance(made, example)}` : 'wrong without attack, so not attacked'}</p></article>`;
  };
  return htmlDocument(
    title,
    html`<div class="layout">
<header>
<h1>${title}</h1>
<p class="lead">${countFallen(made)}</p>
<p>Within ε ${formatEpsilon(epsilon)} (${norm}), on test images of ${datasetTitle(dataset)}. The images are made of bytes, and the predictions are those of these very bytes.</p>
${surrogate === null ? '' : html`<p>The examples were made on ${surrogate.checkpoint} (SHA-256 ${surrogate.sha256}): this is a transfer figure.</p>`}
</header>
<main><div class="gallery sheet">${examples.map(card)}</div></main>
<footer>Checkpoint SHA-256 ${target.sha256}, seed ${seed}, Equipoise ${made.version}.</footer>
</div>`,
  );
}

/** Classes that the table of an example shows at most. */
const MOST_CLASSES = 5;

/** The classes that are likely before or after the attack, and that of the label, with both probabilities as bars. */
function probabilitiesTable(classes: readonly string[], { label, probabilities: { before, after } }: Example): Html {
  const weight = (k: number) => Math.max(before[k], after[k]);
  const likely = [...before.keys()].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_CLASSES);
  const shown = likely.includes(label) ? likely : [label, ...likely.slice(0, -1)];
  const bar = (share: number) =>
    html`<td><div class="share"><meter min="0" max="1" value="${share.toFixed(4)}"></meter><span>${(100 * share).toFixed(1)} %</span></div></td>`;
  return html`<table class="probabilities"><thead><tr><th scope="col" class="left">class</th><th scope="col">clean</th><th scope="col">adversarial</th></tr></thead>
<tbody>${shown.map((k) => html`<tr><th scope="row" class="left">${classes[k]}${k === label ? ' (label)' : ''}</th>${bar(before[k])}${bar(after[k])}</tr>`)}</tbody></table>`;
}

/** The size of a perturbation: in linf a number of byte levels, such as `8/255`. */
export const formatDistance = ({ norm }: Pick<Examples, 'norm'>, { distance }: Pick<Example, 'distance'>): string =>
  norm === 'linf' && distance > 0 ? `${Math.round(255 * distance)}/255` : String(Number(distance.toPrecision(3)));
