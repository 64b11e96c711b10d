// What pages are put together from: the document, sections, tables, charts and legends.

import { type Content, Html, html } from './html.ts';
import { PAGE_SCRIPT, scriptSource } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { plot } from './plots.ts';

export interface DocumentOptions {
  readonly script?: string;
  /** True if the script may ask the server that sent the page. */
  readonly live?: boolean;
  /** Further content of the page's head. */
  readonly head?: Html;
}

/** A whole page that needs nothing beside itself. Its policy lets no script run but its own, and nothing be loaded. */
export const htmlDocument = (
  title: string,
  body: Html,
  { script = PAGE_SCRIPT, live = false, head }: DocumentOptions = {},
): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(script, live)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
${head ?? null}<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
${body}
<script>${new Html(script)}</script>
</body>
</html>
`.text;

/** The content security policy of a page with this script. */
export const policyOf = (script: string, live: boolean): string =>
  [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    `script-src ${scriptSource(script)}`,
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

/** A part of a page that its table of contents leads to. */
export interface Section {
  /** Its anchor. */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
  /** Folds the section; its heading then says in a few words what is inside. A section without this is open. */
  readonly folded?: { readonly gist: Content; readonly open?: boolean };
}

export const showSection = ({ id, title, body, folded }: Section): Html =>
  folded === undefined
    ? html`<section><h2 id="${id}">${title}</h2>
${body}</section>\n`
    : html`<section><details class="fold"${folded.open ? new Html(' open') : null}><summary><h2 id="${id}">${title}</h2> <span class="muted">${folded.gist}</span></summary>
${body}</details></section>\n`;

/** A column of a page's table. */
export interface Column<Row> {
  readonly title: string;
  readonly left?: boolean;
  readonly wrap?: boolean;
  cell(row: Row): string | number | Html | null;
  /** What the rows are sorted by; left out, the cell's text. */
  value?(row: Row): string | number;
}

export interface TableOptions {
  /** True if a reader with scripts can sort it. */
  readonly sortable?: boolean;
}

/** So many short columns fit a phone side by side. */
const COLUMNS_OF_A_PHONE = 3;

/**
 * A table whose first column names its rows. Wide ones scroll by themselves; a phone shows each of their rows as a block, its
 * cells one after another behind their titles.
 */
export function table<Row>(
  caption: Content,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { sortable = false }: TableOptions = {},
): Html {
  const stacks = columns.length > COLUMNS_OF_A_PHONE || columns.some(({ wrap }) => wrap);
  const alignment = ({ left, wrap }: Column<Row>) => (wrap ? 'wrap' : left ? 'left' : '');
  const value = (column: Column<Row>, row: Row) => [
    column.value !== undefined && html` data-value="${column.value(row)}"`,
    stacks && html` data-title="${column.title}"`,
  ];
  const kind = [sortable && 'sortable', stacks && 'stacks'].filter(Boolean).join(' ');
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="${kind}">${caption === null ? null : html`<caption><span>${caption}</span></caption>`}
<thead><tr>${columns.map((column) => html`<th scope="col" class="${column.left || column.wrap ? 'left' : ''}">${column.title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${columns.map((column, i) =>
        i === 0
          ? html`<th scope="row" class="${alignment(column)}"${value(column, row)}>${column.cell(row)}</th>`
          : html`<td class="${alignment(column)}"${value(column, row)}>${column.cell(row)}</td>`,
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
