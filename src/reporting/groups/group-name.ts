// What belongs together: only results on the same images, in the same norm and at the same radius are compared. This file
// names such a group; CSV files hold the name, and the page has a section for each.

import { formatEpsilon } from '../../evaluation/epsilon.ts';

export interface GroupKey {
  /** Its plain name, such as `cifar10`. */
  readonly dataset: string;
  /** Hash of its files; null if it is not known. */
  readonly sha256: string | null;
  readonly norm: string;
  readonly epsilon: number;
}

/** The name of a group, such as `cifar10 1a2b3c4d linf 8/255`: data set, digits of its SHA-256, norm and radius. */
export const groupName = ({ dataset, sha256, norm, epsilon }: GroupKey): string =>
  [dataset, sha256?.slice(0, 8), norm, exactEpsilon(epsilon)].filter((part) => part !== undefined).join(' ');

/** A radius as people write it, in full where that would round it to another. */
function exactEpsilon(epsilon: number): string {
  const text = formatEpsilon(epsilon);
  const [value, divisor = 1] = text.split('/').map(Number);
  return Math.abs(value / divisor - epsilon) <= 1e-7 * Math.abs(epsilon) ? text : String(epsilon);
}
