// The page of runs that are being made: what goes on now, and below it the page of a report on what is done.

import { type Html, Html as HtmlText, html } from '../page/html.ts';
import { type Origin, renderBody } from '../page/page.ts';
import { htmlDocument, policyOf } from '../page/page-parts.ts';
import { LIVE_SCRIPT } from '../page/page-script.ts';
import type { ReportData } from '../report-data.ts';
import { livePanel } from './live-panel.ts';

export const LIVE_POLICY = `${policyOf(LIVE_SCRIPT, true)}; frame-ancestors 'none'`;

/** What is read of a folder: runs, or why there is nothing to show. */
export type Seen = { readonly data: ReportData } | { readonly problem: string };

export const renderLive = async (seen: Seen): Promise<Html> =>
  'data' in seen ? livePanel(seen.data.runs) : html`<h1>What runs now</h1>\n<p class="answer">${seen.problem}</p>`;

export const renderReport = async (seen: Seen, origin: Origin): Promise<Html | null> =>
  'data' in seen ? renderBody(seen.data, origin) : null;

/** The whole page; without scripts it is loaded anew every few seconds. */
export const renderLivePage = (title: string, live: Html, report: Html | null): string =>
  htmlDocument(
    title,
    html`<div class="layout" id="live">${live}</div>
<div id="report">${report}</div>`,
    {
      script: LIVE_SCRIPT,
      live: true,
      head: new HtmlText('<noscript><meta http-equiv="refresh" content="10"></noscript>\n'),
    },
  );
