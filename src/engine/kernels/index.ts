// The list of the engine's TensorFlow.js kernels.
import * as tf from '@tensorflow/tfjs-core';
import { batchNormKernels } from './batch-norm.ts';
import { addN, binaryKernels, operandKernels } from './binary.ts';
import { convolutionKernels } from './convolution.ts';
import { relu } from './elementwise.ts';
import type { EngineKernel } from './kernel.ts';
import { logicKernels } from './logic.ts';
import { matMulKernels } from './matmul.ts';
import { runNetwork, runNetworkGradient } from './network.ts';
import { poolingKernels } from './pooling.ts';
import { reductionKernels } from './reductions.ts';
import { shapeKernels } from './shape.ts';
import { sparseConvolutionKernels } from './sparse-convolution.ts';
import { sparseMatMulKernels } from './sparse-matmul.ts';
import { unaryKernels } from './unary.ts';
import { weightedSum } from './weighted-sum.ts';

const KERNELS: readonly EngineKernel[] = [
  relu,
  ...unaryKernels,
  ...binaryKernels,
  ...operandKernels,
  addN,
  ...logicKernels,
  ...reductionKernels,
  ...shapeKernels,
  ...convolutionKernels,
  ...matMulKernels,
  ...sparseConvolutionKernels,
  ...sparseMatMulKernels,
  ...poolingKernels,
  ...batchNormKernels,
  runNetwork,
  runNetworkGradient,
  weightedSum,
];

/** Registers our kernels over the reference ones that the backend started with. */
export function registerKernels(backendName: string): void {
  for (const { kernelName, kernelFunc } of KERNELS) {
    if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ kernelName, backendName, kernelFunc });
  }
}
