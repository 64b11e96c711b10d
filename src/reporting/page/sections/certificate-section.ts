// The section of a page on certificates: the accuracy of smoothed classifiers that no attack in l2 can undercut.
import {
  type Certification,
  certifiedAt,
  contradictions,
  type SmoothedAttack,
} from '../../../evaluation/certify/record.ts';
import { accuracyOf } from '../../../evaluation/intervals.ts';
import type { ReportGroup } from '../../report-data.ts';
import { formatAccuracy, formatSparsity, percent } from '../../tables/table.ts';
import { type Line, levelColor, type Point, radiusChart } from '../charts.ts';
import { html } from '../html.ts';
import { type Column, chart, legend, type Section, table } from '../page-parts.ts';

interface Certified extends Certification {
  readonly net: string;
}

/** An attack on a smoothed classifier. */
interface Attacked {
  readonly found: Certified;
  readonly attack: SmoothedAttack;
}

/** Certified accuracy against radius for each run, checkpoint and noise; null if nothing was certified. */
export async function certificateSection(group: ReportGroup): Promise<Section | null> {
  const certified: Certified[] = group.runs.flatMap(({ name, config, certifications }) =>
    certifications
      .filter(({ dataset, images }) => dataset.sha256 === group.sha256 && images.length > 0)
      .map((found) => ({
        ...found,
        net: `${name}, ${formatSparsity(config.sparsity)} sparse, ${found.target.checkpoint}, σ ${found.sigma}`,
      })),
  );
  if (certified.length === 0) return null;
  const radii = radiiOf(certified);
  const columns: Column<Certified>[] = [
    { title: 'smoothed classifier', left: true, cell: ({ net }) => net },
    { title: 'images', cell: ({ images }) => images.length },
    { title: 'n', cell: ({ n }) => n },
    { title: 'α', cell: ({ alpha }) => alpha },
    ...radii.map(
      (radius): Column<Certified> => ({
        title: `r ${radius}`,
        cell: (found) => `${percent(certifiedAt(found, radius))} %`,
      }),
    ),
  ];
  const lines: Line[] = certified.map(({ net }, i) => ({ name: net, color: levelColor(i) }));
  const points = certified.flatMap((found): Point[] =>
    stepsOf(found).map((x) => ({
      series: found.net,
      x,
      y: certifiedAt(found, x),
      title: `${found.net}: ${percent(certifiedAt(found, x))} % within ${x.toPrecision(3)}`,
    })),
  );
  const attacks = certified.flatMap((found) => (found.attacked ?? []).map((attack) => ({ found, attack })));
  const accuracyUnder = ({ attack, found }: Attacked) => accuracyOf(attack.right.length, found.images.length);
  const marks = attacks.map((one): Point => {
    const { found, attack } = one;
    const { value } = accuracyUnder(one);
    const title = `${found.net}: ${percent(value)} % under ${attack.attack} within ${attack.epsilon.toPrecision(3)}`;
    return { series: found.net, x: attack.epsilon, y: value, title };
  });
  const attackColumns: Column<Attacked>[] = [
    { title: 'smoothed classifier', left: true, cell: ({ found }) => found.net },
    { title: 'attack', left: true, cell: ({ attack }) => attack.attack },
    { title: 'r', cell: ({ attack }) => Number(attack.epsilon.toFixed(4)) },
    { title: 'certified', cell: ({ found, attack }) => `${percent(certifiedAt(found, attack.epsilon))} %` },
    { title: 'under attack', cell: (one) => formatAccuracy(accuracyUnder(one)) },
    { title: 'fell within their certificate', cell: ({ found, attack }) => contradictions(found, attack) },
  ];
  return {
    id: 'certificates',
    title: 'Certified accuracy',
    body: html`<p>The share of test images for which the <b>smoothed</b> classifier, which answers by majority under normal noise of deviation σ, provably keeps the right class within an l2 distance r. Each certificate is wrong with probability at most α. It is a lower bound for that classifier in l2 only: it does not compare with accuracies under attack of the network without noise, nor with other norms.</p>
${legend(lines)}
<div class="charts">${await chart('Certified accuracy against l2 radius', `Certified accuracy against the l2 radius, a line for each of ${lines.map(({ name }) => name).join('; ')}.`, radiusChart(points, marks, lines))}</div>
<div class="card">${table(null, columns, certified)}</div>
${
  attacks.length === 0
    ? ''
    : html`<p>Crosses in the chart are accuracies of the same smoothed classifiers on the same images under attack in l2, with gradients averaged over draws of the noise: upper bounds, between which and the certified accuracy the robust accuracy lies. Under attack a classifier answers by the majority of ${attacks[0].attack.votes} draws.</p>
<div class="card">${table(null, attackColumns, attacks)}</div>`
}`,
  };
}

/** Radii of the table: 0 and quarters up to the largest certified radius, at most nine. */
function radiiOf(certified: readonly Certified[]): readonly number[] {
  const largest = Math.max(...certified.flatMap(({ images }) => images.map(({ radius }) => radius)));
  const step = largest > 2 ? 0.5 : 0.25;
  return Array.from({ length: Math.min(9, Math.floor(largest / step) + 2) }, (_, i) => i * step);
}

/** Radii at which the accuracy of a chart changes: each certified one, and the next above the largest. */
const stepsOf = ({ images }: Certification): readonly number[] => {
  const radii = [...new Set([0, ...images.map(({ radius }) => radius)])].sort((a, b) => a - b);
  return [...radii, radii[radii.length - 1] * 1.02 + 1e-6];
};
