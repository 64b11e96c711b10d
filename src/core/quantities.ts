// Counts, times and sizes as people read them.

/** A number of things, such as `1 run` or `1,200 images`. */
export const plural = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

/** A number of things of which something is said, such as `1 run is` or `3 runs are`. */
export const counted = (count: number, noun: string, [one, many]: readonly [one: string, many: string]): string =>
  `${plural(count, noun)} ${count === 1 ? one : many}`;

/** A duration in words, such as `42 s`, `3 min 20 s` or `5 h 07 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** A number of bytes with a unit, such as `3.4 MB`. */
export function byteSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}
