// What pages are put together from: the document, sections, tables, charts and legends.

import { plot } from '../charts/plots.ts';
import { Html, html } from './html.ts';
import { PAGE_STYLE } from './page-style.ts';

/** A whole page that needs nothing beside itself: no script, no font, no request. */
export const htmlDocument = (title: string, body: Html): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`.text;

/** A part of a page that its table of contents leads to. */
export interface Section {
  /** Its anchor. */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** A column of a page's table. */
export interface Column<Row> {
  readonly title: string;
  readonly left?: boolean;
  readonly wrap?: boolean;
  cell(row: Row): string | number | Html | null;
}

/** A table whose first column names its rows; wide ones scroll by themselves. */
export function table<Row>(caption: string | null, columns: readonly Column<Row>[], rows: readonly Row[]): Html {
  const alignment = ({ left, wrap }: Column<Row>) => (wrap ? 'wrap' : left ? 'left' : '');
  return html`<div class="scroll"><table>${caption === null ? null : html`<caption><span>${caption}</span></caption>`}
<thead><tr>${columns.map((column) => html`<th scope="col" class="${column.left || column.wrap ? 'left' : ''}">${column.title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${columns.map((column, i) =>
        i === 0
          ? html`<th scope="row" class="${alignment(column)}">${column.cell(row)}</th>`
          : html`<td class="${alignment(column)}">${column.cell(row)}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

export const details = (summary: string, content: Html): Html =>
  html`<details><summary>${summary}</summary>${content}</details>`;

/** A chart under its caption; `description` tells in words what it shows. */
export const chart = async (caption: string, description: string, spec: object): Promise<Html> =>
  html`<figure><figcaption>${caption}</figcaption>${await plot(spec, description)}</figure>`;

export interface LegendEntry {
  readonly name: string;
  readonly color: string;
  readonly dashed?: boolean;
  /** Lengths of strokes and gaps; a whole line if left out. */
  readonly dash?: readonly number[];
}

export const legend = (entries: readonly LegendEntry[]): Html =>
  html`<ul class="legend">${entries.map(
    ({ name, color, dashed, dash = [1, 0] }) =>
      html`<li>${
        dash[1] === 0
          ? html`<span class="swatch${dashed ? ' dashed' : ''}" style="--swatch:${color}"></span>`
          : html`<svg class="swatch" viewBox="0 0 22 4" aria-hidden="true"><line x2="22" y1="2" y2="2" stroke-width="3" stroke-dasharray="${dash.join(' ')}" style="stroke:${color}"/></svg>`
      }${name}</li>`,
  )}</ul>`;
