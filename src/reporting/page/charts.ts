// Charts as records of Vega-Lite: plain points come in, colours are CSS custom properties, and every point has a title.

/** A line's point, with the range its bar covers. */
export interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  /** What is shown where the pointer rests on it. */
  readonly title: string;
  readonly low?: number;
  readonly high?: number;
}

/** A line of a chart by name and colour. */
export interface Line {
  readonly name: string;
  readonly color: string;
  /** Lengths of strokes and gaps; a whole line if left out. */
  readonly dash?: readonly number[];
}

/** A mark of an axis. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Per cent as the page's text writes it, with a space. */
const PERCENT_AXIS = { labelExpr: `replace(format(datum.value, '.2~%'), '%', ' %')`, tickCount: 5 } as const;
const WHOLE = [1, 0] as const;

const accuracyAxis = {
  field: 'y',
  type: 'quantitative',
  title: null,
  scale: { domain: [0, 1] },
  axis: PERCENT_AXIS,
} as const;

const colorOf = (lines: readonly Line[]) => ({
  field: 'series',
  type: 'nominal' as const,
  scale: { domain: lines.map(({ name }) => name), range: lines.map(({ color }) => color) },
  legend: null,
});

const dashOf = (lines: readonly Line[]) => ({
  field: 'series',
  type: 'nominal' as const,
  scale: { domain: lines.map(({ name }) => name), range: lines.map(({ dash }) => dash ?? WHOLE) },
  legend: null,
});

const TITLE = { description: { field: 'title', type: 'nominal' } } as const;

/** Marks that are named by an expression over their values, as Vega-Lite has no list of labels. */
const named = (ticks: readonly Tick[]) => ({
  values: ticks.map(({ value }) => value),
  labelExpr: `{${ticks.map(({ value, label }) => `"${value}":${JSON.stringify(label)}`).join(',')}}[datum.value]`,
  labelOverlap: true,
});

/** A name at the end of a line. */
export interface EndLabel {
  readonly text: string;
  readonly y: number;
  readonly color: string;
  readonly strong: boolean;
}

/** Moves labels apart, as little as leaves `gap` between any two and all inside [0, 1]. */
export function spreadLabels<L extends { readonly y: number }>(labels: readonly L[], gap: number): L[] {
  const ascending = labels.toSorted((a, b) => a.y - b.y);
  const ys = ascending.map(({ y }) => y);
  for (let i = 0; i < ys.length; i++) ys[i] = Math.max(ys[i], i === 0 ? 0 : ys[i - 1] + gap);
  for (let i = ys.length - 1; i >= 0; i--) ys[i] = Math.min(ys[i], i === ys.length - 1 ? 1 : ys[i + 1] - gap);
  return ascending.map((label, i) => ({ ...label, y: ys[i] }));
}

/** The horizontal axis of accuracy against what a network costs. */
export interface CostAxis {
  readonly title: string;
  /** The ticks of the axis; chosen automatically if left out. */
  readonly ticks?: readonly Tick[];
  readonly logarithmic?: boolean;
  /** A Vega format of its numbers. */
  readonly format?: string;
}

export interface CostChart {
  /** Means, which lines join. */
  readonly means: readonly (Point & { readonly kind: 'clean' | 'robust' })[];
  /** Single seeds. */
  readonly seeds: readonly (Point & { readonly kind: 'clean' | 'robust' })[];
  readonly lines: readonly Line[];
  /** Levels that hold over the whole chart, such as those of an undefended network. */
  readonly levels: readonly { readonly y: number; readonly color: string; readonly title: string }[];
  readonly labels: readonly EndLabel[];
  readonly axis: CostAxis;
  readonly width: number;
  readonly height: number;
}

const LABEL_SIZE = 13;

/** Robust accuracy as strong lines and clean accuracy as light ones, a dot a seed, each line named at its end. */
export function costChart({ means, seeds, lines, levels, labels, axis, width, height }: CostChart): object {
  const of = (kind: 'clean' | 'robust') => ({ transform: [{ filter: `datum.kind == '${kind}'` }] });
  const values = [...means, ...seeds].map(({ x }) => x);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const domain = axis.logarithmic
    ? [low / (high / low) ** 0.05, high * (high / low) ** 0.05]
    : axis.ticks
      ? [low - 0.25, high + 0.25]
      : [Math.max(0, low - 0.06 * (high - low)), high + 0.06 * (high - low)];
  const x = {
    field: 'x',
    type: 'quantitative',
    title: axis.title,
    scale: { type: axis.logarithmic ? 'log' : 'linear', domain, nice: false },
    axis: axis.ticks
      ? named(axis.ticks)
      : { format: axis.format ?? '~s', tickCount: width > 500 ? 6 : 3, labelOverlap: true },
  };
  const spread = spreadLabels(labels, (LABEL_SIZE + 2) / height);
  return {
    width,
    height,
    encoding: { y: accuracyAxis },
    layer: [
      {
        data: { values: levels },
        mark: { type: 'rule', strokeWidth: 1.5, strokeDash: [5, 4] },
        encoding: { color: { field: 'color', type: 'nominal', scale: null } },
      },
      {
        data: { values: means },
        encoding: { x, color: colorOf(lines), strokeDash: dashOf(lines) },
        layer: [
          { ...of('clean'), mark: { type: 'line', strokeWidth: 1.5, opacity: 0.5 } },
          { ...of('robust'), mark: { type: 'line', strokeWidth: 2.75 } },
        ],
      },
      {
        data: { values: seeds },
        encoding: { x, color: colorOf(lines), ...TITLE },
        layer: [
          { ...of('clean'), mark: { type: 'point', filled: true, size: 22, opacity: 0.5 } },
          { ...of('robust'), mark: { type: 'point', filled: true, size: 44, opacity: 0.95 } },
        ],
      },
      ...[true, false].map((strong) => ({
        data: { values: spread.filter((label) => label.strong === strong) },
        mark: { type: 'text', align: 'left', dx: 8, fontSize: LABEL_SIZE, fontWeight: strong ? 650 : 400 },
        encoding: {
          x: { value: width },
          text: { field: 'text', type: 'nominal' },
          color: { field: 'color', type: 'nominal', scale: null },
        },
      })),
    ],
  };
}

/** Certified accuracy against radius, which falls in steps, and accuracies of the same classifiers under attack as marks. */
export const radiusChart = (points: readonly Point[], attacked: readonly Point[], lines: readonly Line[]): object => ({
  width: 280,
  height: 190,
  data: { values: points },
  encoding: {
    x: { field: 'x', type: 'quantitative', title: 'l2 radius' },
    y: accuracyAxis,
    color: colorOf(lines),
  },
  layer: [
    { mark: { type: 'line', strokeWidth: 2, interpolate: 'step-before' } },
    { mark: { type: 'point', filled: true, size: 40, opacity: 0 }, encoding: TITLE },
    { data: { values: attacked }, mark: { type: 'point', shape: 'cross', filled: true, size: 70 }, encoding: TITLE },
  ],
});

/** Accuracy against the radius of the attack, from no attack at all: unions as strong lines, single attacks as light ones. */
export const epsilonChart = (
  points: readonly (Point & { readonly attack: string; readonly strong: boolean })[],
  lines: readonly Line[],
  attacks: readonly { readonly name: string; readonly dash: readonly number[] }[],
  ticks: readonly Tick[],
): object => {
  const dash = {
    field: 'attack',
    type: 'nominal',
    scale: { domain: attacks.map(({ name }) => name), range: attacks.map((attack) => attack.dash) },
    legend: null,
  };
  const last = ticks.at(-1)?.value ?? 1;
  const x = {
    field: 'x',
    type: 'quantitative',
    title: 'ε of the attack',
    scale: { domain: [0, last], nice: false },
    axis: named(ticks),
  };
  return {
    width: 280,
    height: 190,
    data: { values: points },
    encoding: { x, y: accuracyAxis, color: colorOf(lines), detail: [{ field: 'attack' }] },
    layer: [
      {
        transform: [{ filter: '!datum.strong' }],
        mark: { type: 'line', strokeWidth: 1.25, opacity: 0.75 },
        encoding: { strokeDash: dash },
      },
      {
        transform: [{ filter: 'datum.strong' }],
        layer: [
          { mark: { type: 'line', strokeWidth: 2.25 } },
          {
            mark: { type: 'rule', strokeWidth: 2, opacity: 0.45 },
            encoding: { y: { field: 'low' }, y2: { field: 'high' } },
          },
        ],
      },
      {
        transform: [{ filter: '!datum.strong' }],
        mark: { type: 'point', filled: true, size: 60, opacity: 0 },
        encoding: TITLE,
      },
      {
        transform: [{ filter: 'datum.strong' }],
        mark: { type: 'point', filled: true, size: 34, opacity: 1 },
        encoding: TITLE,
      },
    ],
  };
};

/** A point of a curve over epochs; `group` keeps the curves of several seeds apart. */
export interface CurvePoint extends Point {
  readonly group: string;
}

export interface CurveOptions {
  /** True if the values are accuracies. */
  readonly percent: boolean;
  /** Ends of the axes, shared by the charts that stand side by side; left out, a chart fits its own points. */
  readonly x?: readonly [number, number];
  readonly y?: readonly [number, number];
  /** A line across the chart. */
  readonly level?: number;
  /** What the horizontal axis counts; default `epoch`. */
  readonly over?: string;
  readonly width?: number;
}

/** The largest number of points of a curve that have a title. */
const TITLED = 40;

/** Something that changes over the epochs: a thin line a seed, a strong one for their mean. */
export function curveChart(
  points: readonly CurvePoint[],
  lines: readonly Line[],
  { percent, x, y, level, over = 'epoch', width = 270 }: CurveOptions,
): object {
  const means = points.filter(({ group }) => group === 'mean');
  const step = Math.max(1, Math.ceil(new Set(means.map((point) => point.x)).size / TITLED));
  const whole = over === 'epoch' || over === 'step';
  return {
    width,
    height: 170,
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: over,
        scale: { ...(x && { domain: x }), zero: false, nice: false },
        axis: whole
          ? { tickMinStep: 1, format: 'd', tickCount: 6, labelOverlap: true }
          : { format: '~s', tickCount: 5, labelOverlap: true },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        title: null,
        scale: { ...(y && { domain: y }), zero: false, nice: !percent },
        axis: percent ? PERCENT_AXIS : { tickCount: 5 },
      },
      color: colorOf(lines),
    },
    layer: [
      ...(level === undefined
        ? []
        : [
            {
              data: { values: [{ y: level }] },
              mark: { type: 'rule', stroke: 'var(--axis)', strokeDash: [3, 3] },
              encoding: { x: null, color: null },
            },
          ]),
      {
        data: { values: points.filter(({ group }) => group !== 'mean') },
        mark: { type: 'line', strokeWidth: 1, opacity: 0.35 },
        encoding: { detail: [{ field: 'group' }] },
      },
      { data: { values: means }, mark: { type: 'line', strokeWidth: 2 } },
      {
        data: { values: means.filter((_, i) => i % step === 0) },
        mark: { type: 'point', filled: true, size: 70, opacity: 0 },
        encoding: TITLE,
      },
    ],
  };
}

/** The least and the greatest of some numbers, a little apart if they are one. */
export function rangeOf(values: readonly number[]): readonly [number, number] | undefined {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return undefined;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** Colours of sparsities, in order. */
export const levelColor = (index: number): string => `var(--level-${index % 6})`;
