// Adds padding by numbers to the convolutions of tfjs-node.
import type { KernelConfig, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

type Shape4D = [number, number, number, number];

/** What each kernel says of its convolution in its inputs and attributes, and the inputs of TensorFlow's operation. */
interface ConvolutionKernel {
  shapes(inputs: Named, attrs: Attributes): { readonly input: Shape4D; readonly filter: Shape4D };
  operands(inputs: Named, attrs: Attributes): readonly (TensorInfo | readonly number[])[];
}

type Named = Readonly<Record<string, TensorInfo>>;
interface Attributes {
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof tf.conv2d>[3];
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly inputShape: Shape4D;
  readonly filterShape: Shape4D;
}

const KERNELS: Readonly<Record<string, ConvolutionKernel>> = {
  Conv2D: {
    shapes: ({ x, filter }) => ({ input: x.shape as Shape4D, filter: filter.shape as Shape4D }),
    operands: ({ x, filter }) => [x, filter],
  },
  Conv2DBackpropInput: {
    shapes: ({ filter }, { inputShape }) => ({ input: inputShape, filter: filter.shape as Shape4D }),
    operands: ({ dy, filter }, { inputShape }) => [inputShape, filter, dy],
  },
  Conv2DBackpropFilter: {
    shapes: ({ x }, { filterShape }) => ({ input: x.shape as Shape4D, filter: filterShape }),
    operands: ({ x, dy }, { filterShape }) => [x, filterShape, dy],
  },
};

/** What this file uses of tfjs-node's backend. */
interface NodeBackend {
  readonly binding: {
    readonly [K in 'TF_ATTR_INT' | 'TF_ATTR_STRING' | 'TF_ATTR_BOOL' | 'TF_ATTR_TYPE' | 'TF_FLOAT']: number;
  };
  executeSingleOutput(name: string, attributes: readonly object[], inputs: readonly TensorInfo[]): Tensor;
}

/**
 * tfjs-node 4.22 refuses padding by numbers, which TensorFlow itself computes: PyTorch's padding of a strided convolution
 * has no other name. Adds it to the kernels of a started backend `tensorflow`; called again it does nothing.
 */
export function supplyNumericPadding(): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    const original = tf.getKernel(kernelName, 'tensorflow');
    if (original === undefined || original.setupFunc === marked) continue;
    tf.unregisterKernel(kernelName, 'tensorflow');
    tf.registerKernel(withNumericPadding(original, kernel));
  }
}

/** Tells our kernels from the originals. */
const marked = () => {};

const withNumericPadding = (original: KernelConfig, kernel: ConvolutionKernel): KernelConfig => ({
  kernelName: original.kernelName,
  backendName: original.backendName,
  setupFunc: marked,
  kernelFunc: (call) => {
    const [inputs, attrs] = [call.inputs as Named, call.attrs as unknown as Attributes];
    const { strides, pad, dataFormat, dilations = 1, dimRoundingMode } = attrs;
    const { input, filter } = kernel.shapes(inputs, attrs);
    const format = tf.backend_util.convertConv2DDataFormat(dataFormat);
    const info = tf.backend_util.computeConv2DInfo(
      input,
      filter,
      strides,
      dilations,
      pad,
      dimRoundingMode,
      false,
      format,
    );
    const { type, top, bottom, left, right } = info.padInfo;
    if (type === 'VALID' || type === 'SAME') return original.kernelFunc(call);
    const backend = call.backend as unknown as NodeBackend;
    const { TF_ATTR_INT, TF_ATTR_STRING, TF_ATTR_BOOL, TF_ATTR_TYPE, TF_FLOAT } = backend.binding;
    const [height, width] = [
      [top, bottom],
      [left, right],
    ];
    const inOrder = <T>(middle: readonly T[], end: readonly T[]) =>
      dataFormat === 'NCHW' ? [...end, ...end, ...middle] : [...end, ...middle, ...end];
    const attributes = [
      { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
      { name: 'strides', type: TF_ATTR_INT, value: inOrder([info.strideHeight, info.strideWidth], [1]) },
      { name: 'padding', type: TF_ATTR_STRING, value: 'EXPLICIT' },
      { name: 'explicit_paddings', type: TF_ATTR_INT, value: inOrder([...height, ...width], [0, 0]) },
      { name: 'data_format', type: TF_ATTR_STRING, value: dataFormat },
      { name: 'use_cudnn_on_gpu', type: TF_ATTR_BOOL, value: true },
      { name: 'dilations', type: TF_ATTR_INT, value: inOrder([info.dilationHeight, info.dilationWidth], [1]) },
    ];
    return tf.tidy(() => {
      const operands = kernel
        .operands(inputs, attrs)
        .map((operand) => ('dataId' in operand ? operand : tf.tensor1d([...operand], 'int32')));
      return backend.executeSingleOutput(original.kernelName, attributes, operands);
    });
  },
});
