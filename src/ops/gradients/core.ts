// Gradients of tfjs-core as they are, with what they read of the saved inputs. It is why a gradient with respect to the
// images need not keep the activations before linear ops.
import type { GradConfig } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Reads } from './gradient.ts';

const READS: Readonly<Record<string, Reads>> = {
  Add: {},
  AddN: {},
  Concat: {},
  ExpandDims: {},
  Multiply: { a: ['b'], b: ['a'] },
  Pack: {},
  PadV2: {},
  RealDiv: { a: ['b'], b: ['a', 'b'] },
  Reshape: {},
  Slice: {},
  Sub: {},
};

/** These gradients. Those of tfjs-core must be registered when it is called. */
export const coreGradients = (): readonly GradConfig[] =>
  Object.entries(READS).map(([kernelName, reads]): GradConfig & { reads: Reads } => ({
    ...(tf.getGradient(kernelName) as GradConfig),
    reads,
  }));
