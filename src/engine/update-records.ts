/** Argument records of the kernels that an optimizer's update is made of; see records.ts. */
export const UPDATE_RECORDS = {
  /** y = a·x + b·z + … for pieces of any number of tensors. */
  weightedSum: ['starts', 'pieces', 'terms', 'weights'],
} as const satisfies Record<string, readonly string[]>;
