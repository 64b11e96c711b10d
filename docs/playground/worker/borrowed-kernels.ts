// Kernels that a backend lacks, computed by the plain JavaScript one: slower, but a model then runs.

import type { KernelBackend, TensorInfo, TypedArray } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Registers the kernels of the backend `cpu` that another one lacks. That one must read values without waiting. */
export function borrowKernels(backendName: string): void {
  const present = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (present.has(kernelName)) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const cpu = tf.engine().findBackend('cpu');
        const borrowed = mapInfos(inputs as Infos, (info) => copy(info, backend as KernelBackend, cpu));
        const made = kernelFunc({ inputs: borrowed, attrs, backend: cpu });
        const outputs = (Array.isArray(made) ? made : [made]) as TensorInfo[];
        const returned = outputs.map((info) => copy(info, cpu, backend as KernelBackend));
        const used = new Set([...Object.values(borrowed).flat(), ...outputs].map(({ dataId }) => dataId));
        for (const dataId of used) cpu.disposeData(dataId);
        return Array.isArray(made) ? returned : returned[0];
      },
    });
  }
}

type Infos = Readonly<Record<string, TensorInfo | readonly TensorInfo[]>>;

/** The inputs of a kernel, some of which are lists of tensors, each replaced. */
const mapInfos = (infos: Infos, replace: (info: TensorInfo) => TensorInfo): Record<string, TensorInfo> =>
  Object.fromEntries(
    Object.entries(infos).map(([name, info]) => [
      name,
      Array.isArray(info) ? info.map(replace) : replace(info as TensorInfo),
    ]),
  ) as Record<string, TensorInfo>;

/** A tensor's values in another backend. */
function copy({ dataId, shape, dtype }: TensorInfo, from: KernelBackend, to: KernelBackend): TensorInfo {
  const values = from.readSync(dataId) as TypedArray;
  return { dataId: to.write(values, shape, dtype) as TensorInfo['dataId'], shape, dtype };
}
