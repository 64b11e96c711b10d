/** Argument records of the kernels that updates of weights and of masks are made of; see records.ts. */
export const UPDATE_RECORDS = {
  /** y = a·x + b·z + … for pieces of any number of tensors. */
  weightedSum: ['starts', 'pieces', 'terms', 'weights'],
  /** Compressed sparse rows out of sorted positions. */
  // biome-ignore format: the kernel, the activations, the rows
  forwardRows: [
    'task', 'positions', 'nonzeros', 'height', 'width', 'inputs', 'outputs', 'stride', 'left', 'size', 'slices',
    'xRow', 'xChannel', 'xPixel',
    'pointers', 'records', 'permutation', 'scratch',
  ],
  // biome-ignore format: the kernel, the activations, the rows
  transposedRows: [
    'task', 'positions', 'nonzeros', 'height', 'width', 'inputs', 'outputs', 'stride', 'left', 'size', 'slices',
    'yRow', 'yChannel', 'yPixel',
    'pointers', 'records', 'permutation', 'sources', 'sourcePointers', 'sourceRows', 'scratch',
  ],
} as const satisfies Record<string, readonly string[]>;
