import { CHART_SIZE } from './plots.ts';

/** A line's point, with the range its bar covers. */
export interface Point {
  readonly series: string;
  readonly x: number | string;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** A line of a chart by name, colour and lengths of its strokes and gaps; a whole line if left out. */
export interface Line {
  readonly name: string;
  readonly color: string;
  readonly dash?: readonly number[];
}

const PERCENT_AXIS = { format: '.2~%', tickCount: 5 } as const;

const dashOf = (lines: readonly Line[]) => ({
  field: 'series',
  type: 'nominal' as const,
  scale: { domain: lines.map(({ name }) => name), range: lines.map(({ dash }) => dash ?? [1, 0]) },
  legend: null,
});

const colorOf = (lines: readonly Line[]) => ({
  field: 'series',
  type: 'nominal' as const,
  scale: { domain: lines.map(({ name }) => name), range: lines.map(({ color }) => color) },
  legend: null,
});

/** A level that holds over the whole chart, such as that of an undefended net. */
export interface Level {
  readonly label: string;
  readonly color: string;
  readonly y: number;
}

const levelLayers = (levels: readonly Level[]) =>
  levels.flatMap(({ label, color, y }) => [
    {
      data: { values: [{ y }] },
      mark: { type: 'rule', stroke: color, strokeWidth: 1.5, strokeDash: [5, 4] },
      encoding: { y: { field: 'y', type: 'quantitative' } },
    },
    {
      data: { values: [{ y, label }] },
      mark: {
        type: 'text',
        align: 'right',
        baseline: y > 0.9 ? 'top' : 'bottom',
        dx: -4,
        dy: y > 0.9 ? 4 : -4,
        fill: color,
        fontSize: 12,
      },
      encoding: {
        y: { field: 'y', type: 'quantitative' },
        x: { value: 'width' },
        text: { field: 'label', type: 'nominal' },
      },
    },
  ]);

/** Accuracy against sparsity, a bar a point, beside levels that know no sparsity. */
export function sparsityChart(
  points: readonly Point[],
  lines: readonly Line[],
  ticks: readonly string[],
  levels: readonly Level[],
): object {
  // Lines stand side by side, so that no bar hides another.
  const apart = Math.min(0.035, 0.6 / lines.length);
  const shift = (series: string) => apart * (lines.findIndex(({ name }) => name === series) - (lines.length - 1) / 2);
  const placed = points.map((point) => ({ ...point, x: ticks.indexOf(String(point.x)) + shift(point.series) }));
  return {
    ...CHART_SIZE,
    layer: [
      {
        data: { values: placed },
        encoding: {
          x: {
            field: 'x',
            type: 'quantitative',
            title: 'sparsity',
            scale: { domain: [-0.35, ticks.length - 0.65], nice: false, zero: false },
            axis: { values: ticks.map((_, i) => i), labelExpr: `${JSON.stringify(ticks)}[datum.value]` },
          },
          y: accuracyAxis,
          color: colorOf(lines),
        },
        layer: [
          { mark: { type: 'line', strokeWidth: 2 }, encoding: { strokeDash: dashOf(lines) } },
          {
            mark: { type: 'rule', strokeWidth: 2, opacity: 0.65 },
            encoding: { y: { field: 'low' }, y2: { field: 'high' } },
          },
          { mark: { type: 'point', filled: true, size: 60, opacity: 1 } },
        ],
      },
      ...levelLayers(levels),
    ],
  };
}

const accuracyAxis = {
  field: 'y',
  type: 'quantitative',
  title: null,
  scale: { domain: [0, 1] },
  axis: PERCENT_AXIS,
} as const;

/** Certified accuracy against radius, which falls in steps. */
export const radiusChart = (points: readonly Point[], lines: readonly Line[]): object => ({
  ...CHART_SIZE,
  data: { values: points },
  mark: { type: 'line', strokeWidth: 2, interpolate: 'step-before' },
  encoding: {
    x: { field: 'x', type: 'quantitative', title: 'l2 radius' },
    y: accuracyAxis,
    color: colorOf(lines),
  },
});

/** Accuracy against the radius of the attack. */
export const epsilonChart = (
  points: readonly Point[],
  lines: readonly Line[],
  ticks: readonly { readonly value: number; readonly label: string }[],
): object => ({
  ...CHART_SIZE,
  data: { values: points },
  encoding: {
    x: {
      field: 'x',
      type: 'quantitative',
      title: 'ε of the attack',
      axis: {
        values: ticks.map(({ value }) => value),
        labelExpr: `{${ticks.map(({ value, label }) => `"${value}":"${label}"`).join(',')}}[datum.value]`,
        labelOverlap: true,
      },
    },
    y: accuracyAxis,
    color: colorOf(lines),
  },
  layer: [
    { mark: { type: 'line', strokeWidth: 2 } },
    { mark: { type: 'rule', strokeWidth: 2, opacity: 0.5 }, encoding: { y: { field: 'low' }, y2: { field: 'high' } } },
    { mark: { type: 'point', filled: true, size: 45, opacity: 1 } },
  ],
});

/** A point of a curve over epochs; `group` keeps the curves of several seeds apart. */
export interface CurvePoint extends Point {
  readonly group: string;
  readonly dashed?: boolean;
}

/**
 * Something that changes over the epochs: a thin line a seed, a strong one for their mean.
 *
 * @param x what the epochs are drawn by
 * @param level a line across the chart
 * @param top where the vertical axis ends if it begins at 0
 * @param fit whether the vertical axis covers no more than what is there; default: not where it is of per cent
 */
export const curveChart = (
  points: readonly CurvePoint[],
  lines: readonly Line[],
  {
    percent,
    fit = !percent,
    top = 1,
    level,
    x = 'epoch',
  }: {
    readonly percent: boolean;
    readonly fit?: boolean;
    readonly top?: number;
    readonly level?: number;
    readonly x?: string;
  },
): object => ({
  width: 300,
  height: 180,
  layer: [
    ...(level === undefined
      ? []
      : [
          {
            data: { values: [{ y: level }] },
            mark: { type: 'rule', stroke: 'var(--axis)', strokeDash: [3, 3] },
            encoding: { y: { field: 'y', type: 'quantitative' } },
          },
        ]),
    {
      data: { values: points },
      encoding: {
        x: {
          field: 'x',
          type: 'quantitative',
          title: x,
          scale: { zero: false, nice: false },
          axis: x === 'epoch' ? { tickMinStep: 1, format: 'd', tickCount: 6 } : { format: '~s', tickCount: 6 },
        },
        y: {
          field: 'y',
          type: 'quantitative',
          title: null,
          scale: fit ? { zero: false } : { domain: [0, top] },
          axis: percent ? PERCENT_AXIS : { tickCount: 5 },
        },
        color: colorOf(lines),
        detail: [{ field: 'group' }],
        strokeDash: {
          field: 'dashed',
          type: 'nominal',
          scale: {
            domain: [false, true],
            range: [
              [1, 0],
              [4, 3],
            ],
          },
          legend: null,
        },
      },
      layer: [
        { transform: [{ filter: 'datum.group != "mean"' }], mark: { type: 'line', strokeWidth: 1, opacity: 0.35 } },
        { transform: [{ filter: 'datum.group == "mean"' }], mark: { type: 'line', strokeWidth: 2 } },
        ...(new Set(points.map(({ x }) => x)).size === 1
          ? [{ transform: [{ filter: 'datum.group == "mean"' }], mark: { type: 'point', filled: true, size: 45 } }]
          : []),
      ],
    },
  ],
});

/** Colours of sparsities, in order. */
export const levelColor = (index: number): string => `var(--level-${index % 6})`;
