// Every kernel is a function (task, arguments): a task writes what no other task does, so any thread may run it.
// src/engine/records.ts names the kernels and the fields of their arguments.
export { thread } from './common';
export { relu } from './elementwise';
export { unary } from './elementwise';
export { binary } from './broadcast';
export { cast, logical, select } from './logic';
export { convolve, fillRows, fillTransposed } from './convolution';
export { convolveDense, fillPanels } from './dense-blocks';
export { convolveWinograd, fillWinograd } from './dense-winograd';
export { weightGradientDense } from './dense-blocks-gradient';
export { denseConvolve, packPanels } from './dense';
export { denseFilterGradient, sumPartials } from './dense-gradient';
export { depthwiseConvolve, depthwiseFilterGradient } from './depthwise';
export { poolWindows, poolWindowsGradient } from './windows';
export { weightGradient, reduceWeightGradient } from './weight-gradient';
export {
  affine, affineGradient, channelGradientSums, channelStatistics, gradientCoefficients, normalizationCoefficients,
} from './batch-norm';
export { sumChannels } from './channel-sums';
export { combine } from './pointwise';
export { averagePool, averagePoolGradient, maxPool, maxPoolGradient, maxPoolGradientSums } from './pooling';
export { repack } from './repack';
export { hang, trap } from './diagnostics';
export { meet, multiplyAdds, triad } from './limits';
export { arg, cumsum, reduce, reduceParts, softmax } from './reductions';
export { copy, gather } from './copies';
export { normalize } from './normalize';
export { topK } from './sorting';
export { weightedSum } from './update';
export { forwardRows, transposedRows } from './rows';
