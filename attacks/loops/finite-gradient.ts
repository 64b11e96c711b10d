// The one rule for gradients that are not finite, which every attack follows, so that adversarial images are always finite.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Makes one image's gradient finite, in place, and returns whether it was not. NaN becomes 0. If a component is ±∞, infinite components become ±1 and all
 * others 0: the direction of a gradient that grows without limit there.
 */
export function makeFinite(gradient: Float32Array): boolean {
  if (gradient.every(Number.isFinite)) return false;
  const infinite = gradient.some(isInfinite);
  for (let i = 0; i < gradient.length; i++) {
    if (infinite) gradient[i] = isInfinite(gradient[i]) ? Math.sign(gradient[i]) : 0;
    else if (Number.isNaN(gradient[i])) gradient[i] = 0;
  }
  return true;
}

const isInfinite = (slope: number): boolean => Math.abs(slope) === Number.POSITIVE_INFINITY;

/**
 * A gradient [batch, height, width, channels] made finite, each image's by the rule above. One that is finite already is
 * returned itself, at the cost of a sum; else a new tensor is. The caller owns both.
 *
 * @param onNonFinite told how many images' gradients were not finite
 */
export async function finiteGradient(gradient: Tensor4D, onNonFinite?: (gradients: number) => void): Promise<Tensor4D> {
  // A sum is not finite if a part of it is not. One that overflows only has the gradient looked at.
  const sums = tf.sum(gradient, [1, 2, 3]);
  const finite = (await sums.data().finally(() => sums.dispose())).every(Number.isFinite);
  if (finite) return gradient;
  const values = Float32Array.from(await gradient.data());
  const [batch] = gradient.shape;
  const size = values.length / batch;
  let mended = 0;
  for (let i = 0; i < batch; i++) if (makeFinite(values.subarray(i * size, (i + 1) * size))) mended++;
  if (mended > 0) onNonFinite?.(mended);
  return tf.tensor4d(values, gradient.shape);
}
