/** Argument records of the kernels of dense convolutions and matrix products; see records.ts. */
export const DENSE_RECORDS = {
  packPanels: ['w', 'tapStep', 'channelStep', 'columnStep', 'taps', 'channels', 'columns', 'b', 'chunk'],
  // biome-ignore format: sides, weights, how it is cut
  denseConvolve: [
    'x', 'xImage', 'y', 'yImage', 'b', 'depth', 'columns', 'bias', 'relu',
    'regions', 'pieces', 'panelGroups',
  ],
  // biome-ignore format: sides, windows, how it is cut
  denseFilterGradient: [
    'x', 'xImage', 'xRowStep', 'xColumnStep', 'xRow', 'xPixel', 'd', 'batch', 'rows', 'columns', 'inputs', 'outputs',
    'rowPlaces', 'columnPlaces', 'kernelRows', 'kernelColumns',
    'blockImages', 'blockRows', 'groups', 'ranges', 'scratch', 'scratchThread', 'partials', 'width',
  ],
  sumPartials: ['partials', 'groups', 'rows', 'width', 'columns', 'y', 'chunk'],
} as const satisfies Record<string, readonly string[]>;
