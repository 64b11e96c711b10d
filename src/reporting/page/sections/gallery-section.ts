// Images, what attacks add to them, and what networks make of both.

import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import type { GalleryImage } from '../../pictures/gallery.ts';
import { showPictures, showVerdict } from '../../pictures/pictures.ts';
import type { ReportGroup } from '../../report-data.ts';
import { html } from '../html.ts';
import type { Section } from '../page-parts.ts';

export function gallerySection({ gallery, runs }: ReportGroup): Section | null {
  if (gallery === null) return null;
  const alone = runs.length === 1;
  const ofOne = gallery.images.every(({ rows }) => rows.length === 1);
  const card = ({ rows, label, index }: GalleryImage) =>
    html`<article class="card"><h3>${label} <span class="muted small">test image ${index}</span></h3>
${rows.map(
  (
    pictures,
  ) => html`<div class="attack">${alone ? null : html`<span class="small muted">attack on: ${pictures.attacked}</span>`}
${showPictures(pictures, { index, label })}
<ul class="verdicts">${pictures.predictions.map((prediction) => showVerdict(prediction, alone ? null : `${prediction.net}: `))}</ul></div>`,
)}</article>`;
  return {
    id: 'gallery',
    title: 'Examples',
    body: html`<p>The worst that ${gallery.attack} finds within ε ${formatEpsilon(gallery.epsilon)} (${gallery.norm})${ofOne ? '' : ' for each network in turn'}, and what ${ofOne ? 'the network makes' : 'each network makes'} of it: its prediction without and with the perturbation.</p>
<div class="gallery${alone ? ' large' : ''}">${gallery.images.map(card)}</div>`,
  };
}
