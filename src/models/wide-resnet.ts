// Wide residual networks of any depth and width.
import { UsageError } from '../core/errors.ts';
import type { Layer } from '../ops/network.ts';
import { batchNorm, checkOptions, conv, dense, globalAveragePool, program, relu, scaled } from './layers.ts';
import { preactivationBlock } from './preactivation.ts';
import type { ModelBuilder } from './types.ts';

const DEEPEST = 1000;

/**
 * WRN-depth-widen (Zagoruyko and Komodakis 2016): three stages of (depth − 4) / 6 blocks with 16, 32 and 64 times
 * `widen` channels; WRN-28-4 has 5,849,050 trainable parameters at 10 classes.
 *
 * @throws UsageError unless the depth is 10, 16, 22, 28, 34, …, at most 1,000
 */
export function wideResnet(depth: number, widen: number): ModelBuilder {
  const name = `wrn-${depth}-${widen}`;
  if (!(depth >= 10 && depth <= DEEPEST) || (depth - 4) % 6 !== 0 || !(widen >= 1)) {
    throw new UsageError(
      `A wide residual network is called wrn-DEPTH-WIDEN. DEPTH must be 6n + 4 (10, 16, 22, 28, 34, …) and at most ${DEEPEST}, WIDEN at least 1, got ${name}.`,
    );
  }
  return (options) => {
    checkOptions(options);
    let inputs = scaled(16, options.width);
    const layers: Layer[] = [conv('conv1', options.inputShape[2], inputs)];
    for (const stage of [1, 2, 3]) {
      const outputs = scaled(16 * 2 ** (stage - 1) * widen, options.width);
      for (let i = 0; i < (depth - 4) / 6; i++) {
        const stride = stage > 1 && i === 0 ? 2 : 1;
        const shape = { inputs, outputs, stride, shortcut: 'convShortcut' };
        layers.push(...preactivationBlock(`block${stage}.layer.${i}`, shape));
        inputs = outputs;
      }
    }
    return program(name, options, [
      ...layers,
      batchNorm('bn1', inputs),
      relu,
      globalAveragePool,
      dense('fc', inputs, options.classes),
    ]);
  };
}
