// The ONNX format. What reads it is loaded only once there is such a file.
import type { ModelFormat } from './format.ts';

/** An ONNX file, as `torch.onnx.export` and tf2onnx write it. */
export const onnx: ModelFormat = {
  description: 'an .onnx file',
  recognises: ({ kind, path }) => kind === 'file' && /\.onnx$/i.test(path),
  load: async (request) => (await import('./onnx/load.ts')).loadOnnx(request),
};
