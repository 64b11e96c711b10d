// Draws docs/pictures/agent-differences.svg from the table of primary comparisons that `npm run study` writes.
//
//   node dist/scripts/pictures/agent.js

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { intervalChart } from './interval-chart.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(join(root, 'docs/results/does-agent-help.md'), 'utf8');

/** One comparison: the mean difference in points, with its interval. */
interface Comparison {
  readonly cell: string;
  readonly prepass: string;
  readonly basis: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A number as tables have it, with a minus sign of its own. */
const numberOf = (text: string): number => Number(text.replace('−', '-'));

/** The rows of the table of primary comparisons; its sixth column is `mean [low, high]`. */
const comparisons: readonly Comparison[] = page.split('\n').flatMap((line) => {
  const cells = line.split('|').map((cell) => cell.trim());
  const estimate = /^(\S+) \[(\S+), (\S+)\]$/.exec(cells[6] ?? '');
  if (!estimate || !/^equal /.test(cells[3])) return [];
  const [mean, low, high] = estimate.slice(1).map(numberOf);
  return [{ cell: cells[1], prepass: cells[2], basis: cells[3], mean, low, high }];
});
if (comparisons.length !== 16) throw new Error(`Expected 16 primary comparisons, got ${comparisons.length}.`);

const svg = intervalChart({
  title: 'Difference in robust accuracy, AGENT minus the same training without AGENT, in 16 comparisons',
  heading: 'Robust accuracy with AGENT minus without, in points, and its 95 % interval',
  axis: [-4, 4],
  ticks: [-4, -2, 0, 2, 4],
  format: (points) => `${points > 0 ? '+' : ''}${String(points).replace('-', '−')}`,
  rows: comparisons.map(({ cell, prepass, basis, ...estimate }) => ({
    label: `${cell}, ${prepass}, ${basis}`,
    marks: [{ ...estimate, colour: prepass === 'published' ? '#1f5fa8' : '#b3541e' }],
  })),
  note: ['← worse with AGENT   better with AGENT →', 0],
});
writeFileSync(join(root, 'docs/pictures/agent-differences.svg'), svg);
