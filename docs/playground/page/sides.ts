// The two sides of the page, and one value for each of them.

import type { Side } from '../worker/protocol.ts';

export const SIDES = ['left', 'right'] as const satisfies readonly Side[];

/** A value for each side. */
export type BySide<Value> = { readonly [Name in Side]: Value };

/** Makes the value of each side. */
export const bySide = <Value>(make: (side: Side) => Value): BySide<Value> => ({
  left: make('left'),
  right: make('right'),
});
