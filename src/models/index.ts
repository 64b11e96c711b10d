export { apply, init } from './init.ts';
export {
  checkWeights,
  type Declared,
  flops,
  type Kernel,
  kernelsOf,
  type ParameterCounts,
  type ParameterInfo,
  parameterCounts,
  parametersOf,
  statisticsOf,
} from './inspect.ts';
export { buildModel, type ModelName, modelBuilder, models } from './models.ts';
export {
  fromPytorch,
  MODEL_METADATA,
  type PytorchLayout,
  type PytorchTensor,
  pytorchTensors,
  toPytorch,
} from './pytorch.ts';
export type { ModelBuilder, ModelOptions, Weights } from './types.ts';
export { type VggChannels, vggBsr } from './vgg.ts';
export { wideResnet } from './wide-resnet.ts';
