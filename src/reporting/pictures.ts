import type { PixelShape } from '../data/index.ts';
import { type Content, type Html, html } from './html.ts';
import { pngUri } from './png.ts';

/** An image, what an attack adds, and the sum; pictures are data URIs of PNG files. */
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
    clean: pngUri((i) => clean[i], shape),
    perturbation: pngUri((i) => 0.5 + magnification * (adversarial[i] - clean[i]), shape),
    adversarial: pngUri((i) => adversarial[i], shape),
    magnification,
  };
}

/** The three pictures side by side. */
export const showPictures = (
  { clean, perturbation, adversarial, magnification }: Pictures,
  { index, label }: { readonly index: number; readonly label: string },
): Html => html`<div class="pictures">
<div><img src="${clean}" alt="Test image ${index}, of class ${label}">clean</div>
<div><img src="${perturbation}" alt="The perturbation, magnified ${magnification.toFixed(1)} times">perturbation ×${magnification.toFixed(magnification < 10 ? 1 : 0)}</div>
<div><img src="${adversarial}" alt="The image with the perturbation added">adversarial</div>
</div>`;

/** A prediction without and with the perturbation. */
export const showVerdict = (
  { clean, adversarial, right }: { readonly clean: string; readonly adversarial: string; readonly right: boolean },
  net: Content = null,
): Html =>
  html`<li>${net}${clean} → <span class="${right ? 'good' : 'bad'}">${adversarial} ${right ? '✓' : '✗'}</span></li>`;
