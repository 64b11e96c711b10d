import type { TopLevelSpec } from 'vega-lite';
import { type Html, Html as HtmlText, html } from '../page/html.ts';

/** Part of a chart's record that every chart has: colours are CSS custom properties, so a page decides on them. */
const CONFIG = {
  background: 'transparent',
  font: 'inherit',
  aria: false,
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

/** The common part of a chart's size. */
export const CHART_SIZE = { width: 400, height: 240 } as const;

/**
 * A chart as inline SVG, drawn here so that a page needs no script.
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
  const body = svg.slice(svg.indexOf('>') + 1);
  return html`<svg class="plot" role="img" aria-label="${title}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:${Math.round(1.15 * Number(width))}px"><title>${title}</title>${new HtmlText(body)}`;
}
