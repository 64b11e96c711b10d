// Draws docs/pictures/agent-differences.svg from the table of primary comparisons that `npm run study` writes.
//
//   node dist/scripts/agent-picture.js

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
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

const [WIDTH, LEFT, RIGHT, TOP, ROW] = [760, 330, 20, 46, 22];
const [LOWEST, HIGHEST] = [-4, 4];
const height = TOP + ROW * comparisons.length + 46;
const bottom = height - 40;
const place = (points: number): string =>
  (LEFT + ((points - LOWEST) / (HIGHEST - LOWEST)) * (WIDTH - LEFT - RIGHT)).toFixed(1);

const grid = [-4, -2, 0, 2, 4].map(
  (points) =>
    `<line x1="${place(points)}" x2="${place(points)}" y1="${TOP - 8}" y2="${bottom}" stroke="${points === 0 ? '#555' : '#ddd'}"/>` +
    `<text x="${place(points)}" y="${bottom + 16}" text-anchor="middle">${points > 0 ? '+' : ''}${String(points).replace('-', '−')}</text>`,
);
const rows = comparisons.map(({ cell, prepass, basis, mean, low, high }, i) => {
  const y = TOP + ROW * i + ROW / 2;
  const colour = prepass === 'published' ? '#1f5fa8' : '#b3541e';
  return (
    `<text x="10" y="${y + 4}">${cell}, ${prepass}, ${basis}</text>` +
    `<line x1="${place(low)}" x2="${place(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>` +
    `<circle cx="${place(mean)}" cy="${y}" r="4" fill="${colour}"/>`
  );
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">
<title>Difference in robust accuracy, AGENT minus the same training without AGENT, in 16 comparisons</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="10" y="22" font-size="14">Robust accuracy with AGENT minus without, in points, and its 95 % interval</text>
${[...grid, ...rows].join('\n')}
<text x="${place(0)}" y="${bottom + 32}" text-anchor="middle">← worse with AGENT   better with AGENT →</text>
</svg>
`;
writeFileSync(join(root, 'docs/pictures/agent-differences.svg'), svg);
