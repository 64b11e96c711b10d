// Pictures of an image, of what an attack adds, and of the sum. They are kept as base64 without the beginning of a URI, so that
// whatever a file says, a page cannot be made to load anything.

import type { PixelShape } from '../../data/types.ts';
import { type Content, type Html, html } from '../page/html.ts';
import { pngBase64 } from './png.ts';

/** An image, what an attack adds, and the sum; pictures are PNG files in base64. */
export interface Pictures {
  readonly clean: string;
  readonly perturbation: string;
  readonly adversarial: string;
  /** How much stronger than it is the perturbation is drawn. */
  readonly magnification: number;
}

/** @param clean pixels in [0, 1], row-major, as are those of the adversarial image */
export function drawPictures(clean: ArrayLike<number>, adversarial: ArrayLike<number>, shape: PixelShape): Pictures {
  let largest = 0;
  for (let i = 0; i < clean.length; i++) largest = Math.max(largest, Math.abs(adversarial[i] - clean[i]));
  const magnification = largest > 0 ? 0.5 / largest : 1;
  return {
    clean: pngBase64((i) => clean[i], shape),
    perturbation: pngBase64((i) => 0.5 + magnification * (adversarial[i] - clean[i]), shape),
    adversarial: pngBase64((i) => adversarial[i], shape),
    magnification,
  };
}

const source = (png: string): string => `data:image/png;base64,${png}`;

/** The three pictures side by side. */
export const showPictures = (
  { clean, perturbation, adversarial, magnification }: Pictures,
  { index, label }: { readonly index: number; readonly label: string },
): Html => html`<div class="pictures">
<div><img src="${source(clean)}" alt="Test image ${index}, of class ${label}">clean</div>
<div><img src="${source(perturbation)}" alt="The perturbation, magnified ${magnification.toFixed(1)} times">perturbation ×${magnification.toFixed(magnification < 10 ? 1 : 0)}</div>
<div><img src="${source(adversarial)}" alt="The image with the perturbation added">adversarial</div>
</div>`;

/** A prediction without and with the perturbation. */
export const showVerdict = (
  { clean, adversarial, right }: { readonly clean: string; readonly adversarial: string; readonly right: boolean },
  net: Content = null,
): Html =>
  html`<li>${net}${clean} → <span class="${right ? 'good' : 'bad'}">${adversarial} ${right ? '✓' : '✗'}</span></li>`;
