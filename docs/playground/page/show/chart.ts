// The chart of probability against ε: a line for each model, where it falls, and the radius that is shown.

import type { Side } from '../../worker/protocol.ts';

export interface ChartPoint {
  readonly epsilon: number;
  /** From 0 to 1. */
  readonly probability: number;
}

export interface ChartLine {
  readonly side: Side;
  /** Ascending by ε. */
  readonly points: readonly ChartPoint[];
  /** The smallest radius at which the model falls; null if it is not known to. */
  readonly falls: ChartPoint | null;
}

export interface ChartData {
  readonly lines: readonly ChartLine[];
  /** The radius that is shown; null while there is none. */
  readonly epsilon: number | null;
  /** The largest radius of the axis. */
  readonly most: number;
  /** The distance of radii that the slider has; ticks are whole multiples of it. */
  readonly step: number;
  readonly format: (epsilon: number) => string;
  /** What the chart says, for those who do not see it. */
  readonly description: string;
}

const MARGIN = { top: 20, bottom: 38 };
const SVG = 'http://www.w3.org/2000/svg';

type Attributes = Readonly<Record<string, string | number>>;

function svg(name: string, attributes: Attributes = {}, ...children: readonly (Node | string)[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  made.append(...children);
  return made;
}

/** Ticks of the axis: from 0, at a whole number of steps, at most so many. */
function ticksOf(most: number, step: number, count: number): readonly number[] {
  const factors = [1, 2, 4, 5, 10, 20, 40, 50, 100];
  const factor = factors.find((times) => most / (step * times) <= count) ?? Math.ceil(most / step / count);
  return Array.from({ length: Math.floor(most / (step * factor) + 1e-6) + 1 }, (_, i) =>
    Number((i * factor * step).toPrecision(12)),
  );
}

/** The left and right edge of the plot, which the style sheet gives, since the slider above has the same. */
function edges(place: HTMLElement): readonly [number, number] {
  const style = getComputedStyle(place);
  const pixels = (name: string) => Number.parseFloat(style.getPropertyValue(name));
  return [pixels('--plot-left'), place.clientWidth - pixels('--plot-right')];
}

/** The radius below a point of the screen. */
export function radiusAt(place: HTMLElement, clientX: number, most: number): number {
  const [left, right] = edges(place);
  const share = (clientX - place.getBoundingClientRect().left - left) / (right - left);
  return most * Math.min(1, Math.max(0, share));
}

/** Draws the chart in place of the one before, as wide and high as its place. */
export function drawChart(place: HTMLElement, data: ChartData): void {
  const { clientWidth: width, clientHeight: height } = place;
  const [left, right] = edges(place);
  const bottom = height - MARGIN.bottom;
  const x = (epsilon: number) => left + (right - left) * (epsilon / data.most);
  const y = (probability: number) => bottom - (bottom - MARGIN.top) * probability;
  const at = ({ epsilon, probability }: ChartPoint) => ({ x: x(epsilon), y: y(probability) });

  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    svg('line', { class: 'grid', x1: left, x2: right, y1: y(share), y2: y(share) }),
  );
  const shares = [0, 0.5, 1].map((share) =>
    svg('text', { x: left - 8, y: y(share) + 4, 'text-anchor': 'end' }, `${100 * share} %`),
  );
  const ticks = ticksOf(data.most, data.step, (right - left) / 64).map((tick) =>
    svg('text', { x: x(tick), y: bottom + 18, 'text-anchor': 'middle' }, data.format(tick)),
  );
  const axis = svg('text', { x: right, y: height - 4, 'text-anchor': 'end' }, 'radius ε');

  const now =
    data.epsilon === null
      ? []
      : [svg('line', { class: 'now', x1: x(data.epsilon), x2: x(data.epsilon), y1: 0, y2: bottom })];

  const taken: { x: number; y: number }[] = [];
  const series = data.lines.map(({ side, points, falls }) => {
    const group = svg('g', { class: `series ${side}` });
    const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${at(point).x.toFixed(1)} ${at(point).y.toFixed(1)}`);
    group.append(svg('path', { d: path.join('') }));
    for (const point of points) {
      const { x: cx, y: cy } = at(point);
      group.append(
        side === 'left'
          ? svg('circle', { class: 'dot', cx, cy, r: 2.5 })
          : svg('rect', { class: 'dot', x: cx - 2.25, y: cy - 2.25, width: 4.5, height: 4.5 }),
      );
    }
    if (falls !== null) {
      const { x: cx, y: cy } = at(falls);
      // Probabilities only fall, so the place above a point and to the right of it is free.
      const isLate = cx > right - 90;
      const label = { x: cx + (isLate ? -12 : 12), y: Math.max(MARGIN.top, cy - 10) };
      if (taken.some((other) => Math.abs(other.y - label.y) < 18 && Math.abs(other.x - label.x) < 110)) label.y -= 20;
      taken.push(label);
      group.append(
        svg('circle', { class: 'fall', cx, cy, r: 6 }),
        svg('text', { ...label, 'text-anchor': isLate ? 'end' : 'start' }, `falls at ${data.format(falls.epsilon)}`),
      );
    }
    return group;
  });
  const options = { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': data.description };
  place.replaceChildren(svg('svg', options, ...grid, ...shares, ...ticks, axis, ...now, ...series));
}
