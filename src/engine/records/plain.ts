// biome-ignore format: sides, windows, how it is cut
const POOL = [
  'x', 'y', 'source', 'batch', 'height', 'width', 'channels', 'rows', 'columns',
  'windowRows', 'windowColumns', 'rowStride', 'columnStride', 'top', 'left', 'mean',
  'chunk',
] as const;

/** Argument records of the kernels of dense convolutions, matrix products and poolings of plain tensors; see records.ts. */
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
  // biome-ignore format: sides, weights, how it is cut
  depthwiseConvolve: [
    'x', 'xImage', 'y', 'yImage', 'w', 'wStep', 'channels', 'bias', 'relu',
    'regions', 'pieces',
  ],
  // biome-ignore format: sides, windows, how it is cut
  depthwiseFilterGradient: [
    'x', 'xImage', 'xRowStep', 'xColumnStep', 'xRow', 'd', 'batch', 'rows', 'columns', 'channels',
    'rowPlaces', 'columnPlaces', 'kernelRows', 'kernelColumns',
    'groups', 'partials', 'width',
  ],
  poolWindows: POOL,
  poolWindowsGradient: POOL,
} as const satisfies Record<string, readonly string[]>;
