// Every function exported here is a kernel (task, arguments): a task writes what no other task does, so any thread may run
// it. The class of the arguments is the kernel's record: scripts/kernel-records.mjs reads its fields for TypeScript.
export { thread } from './shared/common';
export { relu } from './tensors/elementwise';
export { unary } from './tensors/elementwise';
export { binary } from './tensors/broadcast';
export { cast, logical, select } from './tensors/logic';
export { convolve, fillRows, fillTransposed } from './blocked/sparse-convolution';
export { convolveFull, fillPanels } from './blocked/full-convolution';
export { convolveWinograd, fillWinograd } from './blocked/winograd';
export { weightGradientFull } from './blocked/full-gradient';
export { convolvePlain, packPanels } from './plain/convolution';
export { filterGradientPlain, sumPartials } from './plain/gradient';
export { depthwiseConvolve, depthwiseFilterGradient } from './plain/depthwise';
export { poolWindows, poolWindowsGradient } from './plain/windows';
export { weightGradient, reduceWeightGradient } from './blocked/sparse-gradient';
export {
  affine, affineGradient, channelGradientSums, channelStatistics, gradientCoefficients, normalizationCoefficients,
} from './blocked/batch-norm';
export { sumChannels } from './blocked/channel-sums';
export { combine } from './blocked/pointwise';
export { averagePool, averagePoolGradient, maxPool, maxPoolGradient, maxPoolGradientSums } from './blocked/pooling';
export { repack } from './blocked/repack';
export { hang, trap } from './runtime/diagnostics';
export { meet, multiplyAdds, triad } from './runtime/limits';
export { arg, cumsum, reduce, reduceParts, softmax } from './tensors/reductions';
export { copy, gather } from './tensors/copies';
export { normalize } from './plain/normalize';
export { topK } from './tensors/sorting';
export { weightedSum } from './tensors/update';
export { forwardRows, transposedRows } from './blocked/rows';
