/** The last fields of kernels that can sum up the channels of what they write (assembly/blocked/channel-sums.ts). */
const CHANNEL_SUMS = ['sums', 'z', 'zTask', 'mean', 'nb', 'images'] as const;

/** Argument records of the kernels on activation blocks (see records.ts); the docstrings are in assembly/. */
// biome-ignore format: one kernel after another
export const NETWORK_RECORDS = {
  channelStatistics: [
    'x', 'xTask', 'block', 'row', 'channel', 'blocks', 'rows', 'channels', 'tiles', ...CHANNEL_SUMS,
  ],
  normalizationCoefficients: [
    'sums', 'partCount', 'imagesPerPart', 'images', 'area', 'channels', 'chunk', 'runningMean', 'runningVariance',
    'mean', 'movedMean', 'movedVariance', 'gamma', 'beta', 'scale', 'shift', 'inverse',
  ],
  affine: [
    'x', 'xTask', 'y', 'yTask', 'block', 'row', 'channel', 'blocks', 'rows', 'channels', 'tiles', 'pad', 'scale',
    'shift', 'add', 'addTask', 'relu', 'bits', 'bitsTask',
  ],
  channelGradientSums: [
    'd', 'dTask', 'z', 'zTask', 'block', 'row', 'channel', 'blocks', 'rows', 'channels', 'tiles', 'bits',
    'bitsTask', 'mean', 'sums',
  ],
  sumChannels: ['x', 'block', 'row', 'channel', 'rows', 'channels', 'tiles', 'sums'],
  gradientCoefficients: [
    'sums', 'partCount', 'count', 'channels', 'chunk', 'mean', 'inverse', 'gamma', 'dGamma', 'dBeta', 'a', 'b', 'c',
  ],
  affineGradient: [
    'd', 'dTask', 'z', 'zTask', 'y', 'yTask', 'block', 'row', 'channel', 'blocks', 'rows', 'channels', 'tiles',
    'pad', 'nb', 'images', 'bits', 'bitsTask', 'a', 'b', 'c',
  ],
  convolve: [
    'x', 'xTask', 'xBlock', 'y', 'yTask', 'yBlock', 'blocks', 'rows', 'tiles', 'channels', 'yRow', 'yChannel',
    'pad', 'slices', 'groups', 'pointers', 'records', 'rowTable', 'bias', 'biasStep', 'add', 'addTask',
    'epilogue', 'bits', 'bitsTask', ...CHANNEL_SUMS,
  ],
  convolveDense: [
    'x', 'xTask', 'xBlock', 'y', 'yTask', 'yBlock', 'blocks', 'rows', 'tiles', 'channels', 'yRow', 'yChannel',
    'pad', 'planes', 'depth', 'panels', 'offsets', 'rowTable', 'bias', 'biasStep', 'add', 'addTask',
    'epilogue', 'bits', 'bitsTask', 'groupMajor', ...CHANNEL_SUMS,
  ],
  convolveWinograd: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'y', 'yTask', 'yBlock', 'blocks', 'rows', 'tiles', 'inputs', 'channels',
    'yRow', 'yChannel', 'pixel', 'pad', 'chunk', 'weights', 'scratch', 'scratchTask', 'bias', 'biasStep', 'add',
    'addTask', 'epilogue', 'bits', 'bitsTask', ...CHANNEL_SUMS,
  ],
  fillWinograd: [
    'weights', 'inputs', 'channels', 'values', 'placeStep', 'inputStep', 'channelStep', 'scale', 'transposed',
  ],
  weightGradientDense: [
    'x', 'xTask', 'xBlock', 'd', 'dTask', 'dBlock', 'dRow', 'dChannel', 'blocks', 'allBlocks', 'rows', 'tiles',
    'chunkBlocks', 'chunkRows', 'outputs', 'ranges', 'depth', 'perRow', 'offsets', 'sources', 'rowTable', 'partials',
  ],
  fillPanels: [
    'panels', 'planes', 'channels', 'depth', 'sources', 'valueStep', 'values', 'scale', 'transposed',
  ],
  fillRows: [
    'records', 'pointers', 'groups', 'rows', 'channels', 'chunk', 'permutation', 'values', 'scale',
  ],
  fillTransposed: [
    'records', 'permutation', 'source', 'length', 'chunk',
  ],
  combine: [
    'a', 'aTask', 'b', 'bTask', 'y', 'yTask', 'block', 'row', 'channel', 'blocks', 'rows', 'channels', 'tiles',
    'pad', 'epilogue', 'bits', 'bitsTask',
  ],
  maxPool: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'xNb', 'y', 'yTask', 'yBlock', 'yRow', 'yChannel', 'yNb', 'images',
    'channels', 'height', 'width', 'size', 'pad', 'choices', 'choicesTask', 'relu', 'scale', 'shift',
  ],
  maxPoolGradient: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'xNb', 'y', 'yTask', 'yBlock', 'yRow', 'yChannel', 'yNb', 'images',
    'channels', 'height', 'width', 'size', 'pad', 'choices', 'choicesTask', 'z', 'zTask', 'a', 'b', 'c', 'batch',
  ],
  maxPoolGradientSums: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'xNb', 'y', 'yTask', 'yBlock', 'yRow', 'yChannel', 'yNb', 'images',
    'channels', 'height', 'width', 'size', 'choices', 'choicesTask', 'mean', 'sums',
  ],
  averagePool: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'xNb', 'y', 'yTask', 'yBlock', 'yChannel', 'yNb', 'images',
    'channels', 'height', 'width', 'pad',
  ],
  averagePoolGradient: [
    'x', 'xTask', 'xBlock', 'xRow', 'xChannel', 'xNb', 'y', 'yTask', 'yBlock', 'yChannel', 'yNb', 'images',
    'channels', 'height', 'width', 'pad',
  ],
  repack: [
    'x', 'xTask', 'xNb', 'xBlock', 'xRow', 'xChannel', 'xPixel', 'xPlane', 'y', 'yTask', 'yNb', 'yBlock', 'yRow',
    'yChannel', 'yPixel', 'yPlane', 'images', 'xImages', 'yImages', 'rows', 'channels', 'width', 'planes',
    'spread', 'columns', 'interleaved', 'pad',
  ],
  weightGradient: [
    'x', 'xTask', 'xBlock', 'd', 'dTask', 'dBlock', 'dRow', 'dChannel', 'blocks', 'taskBlocks', 'imageGroups', 'rows',
    'tiles', 'ranges', 'rangeTable', 'channels', 'groups', 'pointers', 'records', 'rowTable', 'scratch', 'scratchThread', 'partials',
    'nonzeros',
  ],
  reduceWeightGradient: [
    'partials', 'imageGroups', 'nonzeros', 'chunk', 'permutation', 'y',
  ],
} as const;
