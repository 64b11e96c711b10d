// The radii at which an image is attacked for a curve of probability against ε, in which order, and where a model falls.

/** What an attack within a radius did to a model. */
export interface Point {
  readonly epsilon: number;
  /** True if the attack reached its goal. */
  readonly fell: boolean;
}

/** Radii from 0 to `most` in steps, and ε itself, ascending. */
export function radiiOf(most: number, step: number, epsilon: number): readonly number[] {
  // Of 255ths and hundredths alike, so that a radius equals the number that its text is read as.
  const perUnit = Math.round(1 / step);
  const count = Math.round(most / step);
  const steps = Array.from({ length: count + 1 }, (_, i) => (step < 1 ? i / perUnit : i * step));
  return [...new Set([...steps, epsilon])].sort((a, b) => a - b);
}

/** The smallest radius at which a model is known to fall; null if it is not known to. */
export const fallsAt = (points: Iterable<Point>): number | null => {
  const fallen = [...points].filter(({ fell }) => fell).map(({ epsilon }) => epsilon);
  return fallen.length === 0 ? null : Math.min(...fallen);
};

/**
 * The radius to attack next; null if all are done. First the ends, then the middle of the gap in which the model falls, until
 * that radius is known, then the middle of the widest gap.
 */
export function nextRadius(radii: readonly number[], points: Iterable<Point>): number | null {
  const known = [...points];
  const done = new Set(known.map(({ epsilon }) => epsilon));
  for (const end of [radii[0], radii[radii.length - 1]]) if (!done.has(end)) return end;
  const places = radii.flatMap((radius, i) => (done.has(radius) ? [i] : []));
  const gaps = places.slice(1).map((to, i) => ({ from: places[i], to }));
  const fall = fallsAt(known);
  const width = ({ from, to }: { from: number; to: number }) => to - from;
  const falling = gaps.find(({ to }) => radii[to] === fall);
  const widest = gaps.reduce((most, gap) => (width(gap) > width(most) ? gap : most), { from: 0, to: 0 });
  const gap = falling !== undefined && width(falling) > 1 ? falling : widest;
  return width(gap) > 1 ? radii[Math.floor((gap.from + gap.to) / 2)] : null;
}
