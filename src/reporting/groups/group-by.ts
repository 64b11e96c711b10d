// Groups items by a key.

/** The items with equal keys together, groups in order of first appearance. */
export function groupBy<T>(items: Iterable<T>, key: (item: T) => string | number): [T, ...T[]][] {
  const groups = new Map<string | number, [T, ...T[]]>();
  for (const item of items) {
    const name = key(item);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return [...groups.values()];
}
