// The kernels of max and average pooling of plain tensors, and their gradients.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Fields } from '../records/records.ts';
import { CHUNK, type EngineKernel, engineKernel, reference } from './kernel.ts';
import { type PoolAttributes, type Problem, poolingOf } from './windows.ts';

/** Tasks that a gradient is cut into at least, by channels where there are fewer images. */
const TASKS = 16;

const fieldsOf = ({ windows: { batch, rows, columns }, inputs: channels }: Problem, mean: boolean) => ({
  batch,
  height: rows.input,
  width: columns.input,
  channels,
  rows: rows.output,
  columns: columns.output,
  windowRows: rows.size,
  windowColumns: columns.size,
  rowStride: rows.stride,
  columnStride: columns.stride,
  top: rows.padding,
  left: columns.padding,
  mean: mean ? 1 : 0,
});

const pool = (name: string, mean: boolean): EngineKernel =>
  engineKernel<{ x: TensorInfo }, PoolAttributes>(name, (call) => {
    const { inputs, attrs, backend } = call;
    const { x } = inputs;
    const ours = x.dtype === 'float32' ? poolingOf(x.shape, attrs) : null;
    if (!ours) return reference(name, call);
    const fields = fieldsOf(ours, mean);
    const source = backend.pointer(x);
    const work = fields.columns * fields.channels * fields.windowRows * fields.windowColumns;
    const chunk = Math.max(1, Math.floor(CHUNK / work));
    return backend.make(ours.shape, (y) => {
      const tasks = Math.ceil((fields.batch * fields.rows) / chunk);
      backend.pool.run(tasks, 'poolWindows', { x: source, y, source: 0, ...fields, chunk });
    });
  });

const poolGradient = (name: string, mean: boolean): EngineKernel =>
  engineKernel<{ dy: TensorInfo; input: TensorInfo }, PoolAttributes>(name, (call) => {
    const { inputs, attrs, backend } = call;
    const { dy, input } = inputs;
    const ours = input.dtype === 'float32' ? poolingOf(input.shape, attrs) : null;
    if (!ours) return reference(name, call);
    const fields = fieldsOf(ours, mean);
    const [y, source] = [backend.pointer(dy), mean ? 0 : backend.pointer(input)];
    const parts = Math.min(Math.ceil(fields.channels / 16), Math.ceil(TASKS / fields.batch));
    const chunk = 4 * Math.ceil(fields.channels / (4 * parts));
    const tasks = fields.batch * Math.ceil(fields.channels / chunk);
    return backend.make(input.shape, (x) => {
      backend.pool.run(tasks, 'poolWindowsGradient', {
        x,
        y,
        source,
        ...fields,
        chunk,
      } satisfies Fields<'poolWindows'>);
    });
  });

export const poolingKernels = [
  pool('MaxPool', false),
  pool('AvgPool', true),
  poolGradient('MaxPoolGrad', false),
  poolGradient('AvgPoolGrad', true),
];
