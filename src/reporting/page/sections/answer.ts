// The sentence that a page opens with. Its numbers are those of summary.csv.

import { plural } from '../../../core/quantities.ts';
import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import type { Series } from '../../charts/series.ts';
import { headlineCells, measureOfSetting, type ReportData, type ReportGroup } from '../../report-data.ts';
import { isComplete, trainingState } from '../../runs/runs.ts';
import type { SummaryCell } from '../../tables/summary.ts';
import { formatSparsity, percent } from '../../tables/table.ts';
import { type Html, html } from '../html.ts';
import { architecture, nameOf, sparsityOf } from '../names.ts';

/** Shares that English has a word for. */
const SHARES: readonly (readonly [number, string])[] = [
  [1 / 2, 'half'],
  [1 / 3, 'a third'],
  [1 / 4, 'a quarter'],
  [1 / 5, 'a fifth'],
  [1 / 10, 'a tenth'],
  [1 / 20, 'a twentieth'],
  [1 / 50, 'a fiftieth'],
  [1 / 100, 'a hundredth'],
  [1 / 1000, 'a thousandth'],
];

/** A share in words where one is near enough, such as `a tenth`; else `12 %`. */
export function shareInWords(share: number): string {
  const near = SHARES.find(([value]) => Math.abs(share / value - 1) <= 0.08);
  return near?.[1] ?? `${Number((100 * share).toPrecision(2))} %`;
}

/** What a sparse network loses against another of its line. */
export interface Loss {
  readonly measure: 'clean' | 'robust';
  readonly from: SummaryCell;
  readonly to: SummaryCell;
  /** The difference in points of per cent; positive if accuracy falls. */
  readonly points: number;
  /** Multiply-adds of the sparser network over those of the other; null if they are not known. */
  readonly share: number | null;
}

/**
 * What the first line of a group loses at its least and at its greatest sparsity, against its least sparse network: plain SGD
 * where there is plain SGD, trained on adversarial examples where networks were.
 */
export function lossesOf(group: ReportGroup): Loss[] {
  const cells = headlineCells(group);
  const onLine = (series: Series) => cells.filter(({ setting }) => series.matches(setting));
  const line = group.series.find((series) => new Set(onLine(series).map(sparsityOf)).size > 1);
  if (line === undefined) return [];
  const [from, ...sparser] = onLine(line);
  const chosen = [sparser.find((cell) => sparsityOf(cell) > sparsityOf(from)), sparser.at(-1)];
  const measure = measureOfSetting(from.setting);
  return [...new Set(chosen)].flatMap((to) =>
    to === undefined
      ? []
      : [
          {
            measure,
            from,
            to,
            points: 100 * (from[measure].mean - to[measure].mean),
            share: to.costs.flops && from.costs.flops ? to.costs.flops / from.costs.flops : null,
          },
        ],
  );
}

/** The answer of a group in one sentence; no line ends before the sign of a per cent. */
export const answer = (group: ReportGroup): string => answerOf(group).replaceAll(' %', '\u00a0%');

function answerOf(group: ReportGroup): string {
  const losses = lossesOf(group);
  if (losses.length > 0) return sentence(losses);
  const [best] = headlineCells(group).toSorted((a, b) => b.robust.mean - a.robust.mean);
  if (best === undefined) return unanswered(group);
  const of = headlineCells(group).length > 1 ? ` trained by ${nameOf(group.series, best)}` : '';
  const what =
    sparsityOf(best) === 0
      ? `The dense network${of}`
      : `At ${formatSparsity(sparsityOf(best))} sparsity the network${of}`;
  const stands = `withstands the attack with ε ${formatEpsilon(group.epsilon)} on ${percent(best.robust.mean)} % of the images, and is right on ${percent(best.clean.mean)} % without it`;
  return `${what} ${stands}.`;
}

function sentence([first, second]: readonly Loss[]): string {
  const { measure, from } = first;
  const change = ({ points, to }: Loss): string => {
    const size = Math.abs(points).toFixed(1);
    const level = `${percent(to[measure].mean)} %`;
    if (Number(size) === 0) return `stays at ${level}`;
    return `${points > 0 ? 'falls' : 'rises'} by ${size} points to ${level}`;
  };
  const at = ({ to }: Loss) => `at ${formatSparsity(sparsityOf(to))}`;
  const costs = ({ share }: Loss, noun: string) => (share === null ? '' : `, at ${shareInWords(share)}${noun}`);
  const start = sparsityOf(from) === 0 ? '' : ` from that at ${formatSparsity(sparsityOf(from))}`;
  const head = `${capitalised(at(first))} sparsity ${measure} accuracy ${change(first)}${start}${costs(first, ' of the multiply-adds')}`;
  return second === undefined ? `${head}.` : `${head}; ${at(second)} it ${change(second)}${costs(second, '')}.`;
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The sentence for runs without a measurement. */
function unanswered({ runs }: ReportGroup): string {
  const unfinished = runs.filter((run) => !isComplete(run));
  if (runs.length === 1) {
    return unfinished.length === 0
      ? 'This run is complete and not evaluated yet.'
      : `This run is unfinished: ${trainingState(runs[0])}.`;
  }
  return unfinished.length === 0
    ? `None of these ${runs.length} runs was evaluated yet.`
    : `${runs.length - unfinished.length} of ${runs.length} runs are complete, and none of them was evaluated yet.`;
}

/** What the sentence is about: whose means, of which networks, under which attack. */
export function basis(group: ReportGroup): Html {
  const [first] = lossesOf(group);
  const { protocol, threat, datasetTitle } = group;
  const shown = protocol === null ? group.runs : runsInHeadlines(group);
  const networks = [...new Set(shown.map(({ config }) => architecture(config)))];
  const seeds = new Set(shown.map(({ config }) => config.seed)).size;
  const runs = `${networks.join(', ')} on ${datasetTitle}: ${shown.length === 1 ? 'one run' : `${shown.length} runs over ${plural(seeds, 'seed')}`}`;
  if (protocol === null || threat === null) return html`${runs}, not evaluated.`;
  const compared =
    first === undefined
      ? ''
      : ` The sentence is about ${nameOf(group.series, first.from)}, against its ${sparsityOf(first.from) === 0 ? 'dense' : 'least sparse'} network.`;
  const attacks = protocol.attacks.split(' + ');
  const names = attacks.map(
    (name, i) => html`${i === 0 ? '' : i === attacks.length - 1 ? ' and ' : ', '}<span class="whole">${name}</span>`,
  );
  return html`${runs}, attacked in ${threat.norm} with ε ${formatEpsilon(threat.epsilon)} on ${(protocol.n ?? 0).toLocaleString('en')} ${protocol.split} images by ${names}; checkpoint ${group.checkpoint}.${compared}`;
}

/** The runs whose figures the headlines of a group are made of. */
function runsInHeadlines(group: ReportGroup): ReportData['runs'] {
  const names = new Set(headlineCells(group).flatMap(({ rows }) => rows.map(({ run }) => run)));
  return group.runs.filter(({ name }) => names.has(name));
}
