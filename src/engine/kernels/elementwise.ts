import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { CHUNK, chunks, engineKernel, reference } from './kernel.ts';

export const relu = engineKernel<{ x: TensorInfo }>('Relu', (call) => {
  const { x } = call.inputs;
  if (x.dtype !== 'float32') return reference('Relu', call);
  const { backend } = call;
  const length = sizeOf(x.shape);
  const source = backend.pointer(x);
  const { pointer, ...y } = backend.allocate(x.shape);
  backend.pool.run(chunks(length), 'relu', { x: source, y: pointer, length, chunk: CHUNK });
  return y;
});
