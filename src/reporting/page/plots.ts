// A chart as inline SVG, drawn when the page is written, so that a page needs no script.

import type { TopLevelSpec } from 'vega-lite';
import { type Html, Html as HtmlText, html } from './html.ts';

/** Part of a chart's record that every chart has: colours are CSS custom properties, so a page decides on them. */
const CONFIG = {
  background: 'transparent',
  font: 'inherit',
  view: { stroke: null },
  axis: {
    domainColor: 'var(--axis)',
    tickColor: 'var(--axis)',
    gridColor: 'var(--grid)',
    labelColor: 'var(--muted)',
    titleColor: 'var(--muted)',
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 500,
    titlePadding: 8,
    labelPadding: 6,
    tickSize: 4,
  },
  axisX: { grid: false },
  axisY: { domain: false, ticks: false },
} as const;

/** A point as Vega writes it: its description becomes a title, which browsers show where the pointer rests. */
const POINT = /<path aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="point"([^>]*?)\/>/g;
/** What Vega tells assistive technology of single marks. The chart is one image with one description instead. */
const ARIA = / (?:aria-[a-z]+|role)="[^"]*"/g;

/**
 * A chart as inline SVG.
 *
 * @param spec of Vega-Lite, with its data inside; nothing is loaded
 * @param title says what is shown, for those who do not see it
 */
export async function plot(spec: object, title: string): Promise<Html> {
  const [{ compile }, { View, parse, Error: ErrorsOnly }] = await Promise.all([import('vega-lite'), import('vega')]);
  const complete = { ...spec, config: CONFIG, padding: 4, autosize: { type: 'pad' } } as TopLevelSpec;
  const view = new View(parse(compile(complete).spec), { renderer: 'none', logLevel: ErrorsOnly });
  const svg = await view.toSVG();
  view.finalize();
  const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  const body = svg
    .slice(svg.indexOf('>') + 1)
    .replace(POINT, '<path$2><title>$1</title></path>')
    .replace(ARIA, '');
  return html`<svg class="plot" role="img" aria-label="${title}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:${Math.round(1.15 * Number(width))}px">${new HtmlText(body)}`;
}
