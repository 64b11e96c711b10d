// The residual block with activations before convolutions, which two families of networks share.
import type { Layer } from '../ops/network.ts';
import { batchNorm, conv, relu } from './layers.ts';

/**
 * A pre-activation block of two 3×3 convolutions (He et al. 2016, https://arxiv.org/abs/1603.05027): batch norm and ReLU come
 * before each convolution, and before that of the shortcut, which is there where the shape changes.
 *
 * @param name of the block, before its layers'
 * @param shortcut what the convolution of its shortcut is called
 */
export function preactivationBlock(
  name: string,
  { inputs, outputs, stride, shortcut }: { inputs: number; outputs: number; stride: number; shortcut: string },
): Layer[] {
  const activation = [batchNorm(`${name}.bn1`, inputs), relu];
  const body = [
    conv(`${name}.conv1`, inputs, outputs, 3, stride),
    batchNorm(`${name}.bn2`, outputs),
    relu,
    conv(`${name}.conv2`, outputs, outputs),
  ];
  return inputs === outputs && stride === 1
    ? [{ kind: 'residual', body: [...activation, ...body], shortcut: [] }]
    : [...activation, { kind: 'residual', body, shortcut: [conv(`${name}.${shortcut}`, inputs, outputs, 1, stride)] }];
}
