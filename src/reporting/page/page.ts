// A report as one HTML page: what groups of runs show, what is left out, and every setting.

import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { version } from '../../evaluation/version.ts';
import type { Gallery, GalleryImage } from '../pictures/gallery.ts';
import { showPictures, showVerdict } from '../pictures/pictures.ts';
import type { ReportData, ReportGroup } from '../report-data.ts';
import { type Comparison, comparisonsOf } from '../tables/comparisons.ts';
import { formatSparsity } from '../tables/table.ts';
import { certificateSection } from '../certificate-section.ts';
import { corruptionSection } from '../corruption-section.ts';
import { epsilonSection, nameOf, sparsitySection } from './accuracy-sections.ts';
import { alarmsSection } from './alarms-section.ts';
import { coefficientSection, epochsSection, learningSection } from './curve-sections.ts';
import {
  evaluationsOf,
  firstScreen,
  generalNotes,
  groupTitle,
  introduction,
  lead,
  overview,
  said,
} from './headline.ts';
import { type Html, html } from './html.ts';
import { type Column, htmlDocument, type Section, table } from './page-parts.ts';
import { configurationSection, leftOutSection, resultsSection } from './result-sections.ts';

/** A report as one HTML page that needs nothing beside itself: no script, no font, no request. */
export async function renderPage(data: ReportData): Promise<string> {
  const parts = await Promise.all(
    data.groups.map(async (group, i) => ({ group, id: i === 0 ? '' : `-${i + 1}`, sections: await sectionsOf(group) })),
  );
  const several = parts.length > 1;
  const common = [leftOutSection(data), configurationSection(data)].filter((section) => section !== null);
  const link = ({ id, title }: Pick<Section, 'id' | 'title'>): Html => html`<a href="#${id}">${title}</a>`;
  const show = ({ id, title, body }: Section): Html => html`<section><h2 id="${id}">${title}</h2>
${body}</section>\n`;
  return htmlDocument(
    data.title,
    html`<header>
<h1>${data.title}</h1>
${several ? overview(data) : parts.map(({ group }) => lead(group))}
${firstScreen(data)}
${generalNotes(data)}
${several ? null : parts.map(({ group, id }) => introduction(group, id))}
<nav aria-label="Sections">${parts.map(({ group, id, sections }) =>
      several
        ? link({ id: `group${id || '-1'}`, title: groupTitle(group) })
        : sections.map((section) => link({ ...section, id: section.id + id })),
    )}${common.map(link)}</nav>
</header>
<main>
${parts.map(({ group, id, sections }) => [
  several &&
    html`<div class="group"><h2 id="group${id || '-1'}" class="group-title">${groupTitle(group)}</h2>
${lead(group)}
${introduction(group, id)}</div>`,
  sections.map((section) => show({ ...section, id: section.id + id })),
])}
${common.map(show)}
</main>
<footer>${footer(data)}</footer>`,
  );
}

/** What a group of runs shows, section by section. */
async function sectionsOf(group: ReportGroup): Promise<Section[]> {
  const sections = [
    {
      id: 'sparsity',
      title: 'Accuracy against sparsity',
      body: html`${group.protocol === null ? notEvaluated(group) : await sparsitySection(group)}${differencesTable(group)}`,
    },
    group.gallery && gallerySection(group.gallery),
    await epsilonSection(group),
    await learningSection(group),
    await coefficientSection(group),
    await epochsSection(group),
    corruptionSection(group),
    await certificateSection(group),
    alarmsSection(group),
    resultsSection(group),
  ];
  return sections.filter((section) => section !== null);
}

const notEvaluated = ({ threat }: ReportGroup): Html =>
  threat === null
    ? html`<p class="note">None of these runs was evaluated yet. Do so with <code>equipoise evaluate RUN</code> and make the report again.</p>`
    : html`<p class="note">No complete run of these was evaluated, so there is nothing to compare.</p>`;

/** What corrections changed, sparsity by sparsity; null if none was made. */
function differencesTable(group: ReportGroup): Html | null {
  const comparisons = comparisonsOf(group);
  if (comparisons.length === 0) return null;
  const columns: Column<Comparison>[] = [
    { title: 'sparsity', left: true, cell: ({ cell }) => formatSparsity(cell.setting.sparsity ?? 0) },
    { title: 'difference', left: true, cell: ({ cell }) => `${nameOf(group.series, cell)} − SGD` },
    {
      title: 'robust accuracy',
      wrap: true,
      cell: ({ cell: { differences } }) => said(differences?.robust ?? null),
    },
    { title: 'clean accuracy', wrap: true, cell: ({ cell: { differences } }) => said(differences?.clean ?? null) },
  ];
  return html`<div class="card">${table('Mean difference over paired seeds, after as many epochs, with its 95 % t interval, each for itself: of twenty without any difference one is called distinguishable by chance. Below three pairs the differences stand seed by seed. With few seeds intervals are wide: what cannot be told apart may still differ.', columns, comparisons)}</div>`;
}

function gallerySection(gallery: Gallery): Section {
  const row = ({
    rows,
    label,
    index,
  }: GalleryImage) => html`<article class="card"><h3>${label} <span class="muted small">test image ${index}</span></h3>
${rows.map(
  (pictures) => html`<div class="attack"><span class="small muted">attack on: ${pictures.attacked}</span>
${showPictures(pictures, { index, label })}
<ul class="verdicts">${pictures.predictions.map((prediction) => showVerdict(prediction, `${prediction.net}: `))}</ul></div>`,
)}</article>`;
  return {
    id: 'gallery',
    title: 'What an attack looks like',
    body: html`<p>The worst that ${gallery.attack} finds within ε ${formatEpsilon(gallery.epsilon)} (${gallery.norm}) for each net in turn, and what each net makes of it: its prediction without and with the perturbation.</p>
<div class="gallery">${gallery.images.map(row)}</div>`,
  };
}

/** What the page and its figures were made with. */
function footer(data: ReportData): Html {
  const makers = [
    ...new Set(evaluationsOf(data).map((evaluation) => `${evaluation.version}, backend ${evaluation.backend}`)),
  ];
  const evaluated = makers.length === 0 ? '' : ` Evaluations by Equipoise ${makers.join('; ')}.`;
  return html`<p>Made by Equipoise ${version()}.${evaluated} The same figures are in results.csv, summary.csv and epochs-to-accuracy.csv beside this page.</p>`;
}
