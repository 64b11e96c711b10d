// The gradients of tfjs-core's own ops, which it does not register itself. The registry is global, so a user's `tf.grad`
// works too. The first file is bundled by scripts/build.mjs, and uses the program's own tfjs-core.
import './tfjs-gradients.js';
import * as tf from '@tensorflow/tfjs-core';
import { batchNormGradient } from './gradients/batch-norm.ts';
import { binaryGradients } from './gradients/binary.ts';
import { constantGradients } from './gradients/constants.ts';
import { convolutionGradients } from './gradients/convolutions.ts';
import { coreGradients } from './gradients/core.ts';
import { einsumGradient } from './gradients/einsum.ts';
import { indexingGradients } from './gradients/indexing.ts';
import { poolGradients } from './gradients/pools.ts';
import { reductionGradients } from './gradients/reductions.ts';
import { separableGradients } from './gradients/separable.ts';
import { shapeGradients } from './gradients/shapes.ts';

/**
 * Gradients of tfjs-core that are left out. The magnitude of complex numbers has a wrong one. The ops broadcastTo and
 * logSoftmax run other kernels than those of their names.
 */
const LEFT_OUT = ['ComplexAbs', 'BroadcastTo', 'LogSoftmax'];

/** Gradients that tfjs-core lacks or has wrong, or that cost less here. docs/ops.md says which and why. */
const OURS = [
  batchNormGradient,
  ...binaryGradients,
  ...constantGradients,
  ...convolutionGradients,
  ...coreGradients(),
  einsumGradient,
  ...indexingGradients,
  ...poolGradients,
  ...reductionGradients,
  ...separableGradients,
  ...shapeGradients,
];

/**
 * Registers the gradients of this folder over those of tfjs-core. Importing the package does it once. tfjs-layers registers
 * tfjs-core's again when it is loaded, so what takes gradients of a user's model calls this first. Calling it again changes
 * nothing if nothing else was registered.
 */
export function registerGradients(): void {
  for (const kernelName of LEFT_OUT) if (tf.getGradient(kernelName)) tf.unregisterGradient(kernelName);
  for (const config of OURS) {
    const registered = tf.getGradient(config.kernelName);
    if (registered === config) continue;
    if (registered) tf.unregisterGradient(config.kernelName);
    tf.registerGradient(config);
  }
}

registerGradients();
