// The kernel of `relu`.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { commonForm, mapBlocks } from './in-blocks.ts';
import { CHUNK, chunks, engineKernel, reference } from './kernel.ts';

export const relu = engineKernel<{ x: TensorInfo }>('Relu', (call) => {
  const { x } = call.inputs;
  if (x.dtype !== 'float32') return reference('Relu', call);
  const { backend } = call;
  const apply = (source: number, y: number, length: number) =>
    backend.pool.run(chunks(length), 'relu', { x: source, y, length, chunk: CHUNK });
  const form = commonForm(backend, [x]);
  if (form) return mapBlocks(backend, [x], form, ([source], y, length) => apply(source, y, length));
  const source = backend.pointer(x);
  return backend.make(x.shape, (y) => apply(source, y, sizeOf(x.shape)));
});
