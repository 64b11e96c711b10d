// An accuracy and its interval drawn in the row of a table, all rows on one scale from 0 to 100 %.

import { percent } from '../tables/table.ts';
import { type Html, html } from './html.ts';

export interface DrawnInterval {
  readonly low: number;
  readonly high: number;
  /** Where the accuracy itself is marked. */
  readonly mean: number;
  /** Single seeds, marked by a tick each. */
  readonly seeds: readonly number[];
  readonly color: string;
  /** Its width in pixels; default 108. */
  readonly width?: number;
}

const HEIGHT = 16;

export function drawInterval({ low, high, mean, seeds, color, width = 108 }: DrawnInterval): Html {
  const at = (share: number): string => (width * Math.min(1, Math.max(0, share))).toFixed(1);
  const middle = HEIGHT / 2;
  const title = `${percent(mean)} %, from ${percent(low)} to ${percent(high)} %`;
  return html`<svg class="interval" role="img" aria-label="${title}" viewBox="-4 0 ${width + 8} ${HEIGHT}" width="${width + 8}" height="${HEIGHT}" style="--mark:${color}"><title>${title}</title><path class="track" d="M0 ${middle}H${width}"/><path class="grid" d="${[0, 0.25, 0.5, 0.75, 1].map((share) => `M${at(share)} ${middle - 3}v6`).join('')}"/><path class="bar" d="M${at(low)} ${middle}H${at(high)}"/>${
    seeds.length > 1
      ? html`<path class="ticks" d="${seeds.map((seed) => `M${at(seed)} ${middle - 5}v10`).join('')}"/>`
      : null
  }<circle class="mean" cx="${at(mean)}" cy="${middle}" r="3.5"/></svg>`;
}
