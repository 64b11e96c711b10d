// A network as an ONNX model, in the layout of PyTorch: images [batch, channels, height, width], weights by PyTorch's names.
import { buildModel } from '../../models/models.ts';
import { MODEL_METADATA, pytorchTensors, toPytorch } from '../../models/pytorch.ts';
import { BATCH_NORM_EPSILON, type Layer } from '../../ops/network.ts';
import type { Network } from '../exchange/network.ts';
import type { OnnxModel, OnnxNode, OnnxTensor } from './encode.ts';

/** All operators used here are the same in every opset from 13 on. */
const OPSET = 17;

export const INPUT = 'images';
export const OUTPUT = 'logits';

/** Returns the model, which takes pixels in [0, 1] and any number of images at once. */
export function onnxModelOf({ record: { model }, values }: Network): OnnxModel {
  const program = buildModel(model.name, model);
  const [height, width, channels] = program.inputShape;
  const declared = pytorchTensors(program).map(({ name, key, layout }) => ({
    name,
    tensor: { name: key, shape: layout.shape, data: toPytorch(values[name], layout) },
  }));
  const initializers: OnnxTensor[] = declared.map(({ tensor }) => tensor);
  const keys = new Map(declared.map(({ name, tensor }) => [name, tensor.name]));
  const nodes: OnnxNode[] = [];

  /** Adds a node; returns the name of its output. */
  const add = (op: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string => {
    const name = `${op}_${nodes.length}`;
    nodes.push({ op, name, inputs, outputs: [name], attributes });
    return name;
  };
  const constant = (name: string, numbers: readonly number[]): string => {
    initializers.push({ name, shape: [numbers.length, 1, 1], data: Float32Array.from(numbers) });
    return name;
  };
  const weights = (layer: string, ...parts: readonly string[]): string[] =>
    parts.flatMap((part) => keys.get(`${layer}.${part}`) ?? []);
  const windows = (size: number, stride: number, padding: number): OnnxNode['attributes'] => ({
    kernel_shape: [size, size],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  });
  const run = (layers: readonly Layer[], input: string): string => layers.reduce((x, layer) => apply(layer, x), input);
  const apply = (layer: Layer, x: string): string => {
    switch (layer.kind) {
      case 'normalize':
        return add('Div', [add('Sub', [x, constant('mean', layer.mean)]), constant('std', layer.std)]);
      case 'conv':
        return add(
          'Conv',
          [x, ...weights(layer.name, 'kernel', 'bias')],
          windows(layer.size, layer.stride, layer.padding),
        );
      case 'dense':
        return add('Gemm', [x, ...weights(layer.name, 'kernel', 'bias')], { transB: 1 });
      case 'batchNorm':
        return add(
          'BatchNormalization',
          [x, ...weights(layer.name, 'gamma', 'beta', 'moving_mean', 'moving_variance')],
          { epsilon: BATCH_NORM_EPSILON },
        );
      case 'relu':
        return add('Relu', [x]);
      case 'maxPool':
        return add('MaxPool', [x], windows(layer.size, layer.stride ?? layer.size, layer.padding ?? 0));
      case 'globalAveragePool':
        return add('Flatten', [add('GlobalAveragePool', [x])]);
      case 'flatten':
        return add('Flatten', [x]);
      case 'residual':
        return add('Add', [run(layer.body, x), run(layer.shortcut, x)]);
      default:
        return layer satisfies never;
    }
  };

  const last = run(program.layers, INPUT);
  nodes.push({ op: 'Identity', name: OUTPUT, inputs: [last], outputs: [OUTPUT] });
  return {
    opset: OPSET,
    producer: 'equipoise',
    inputs: [{ name: INPUT, shape: [null, channels, height, width] }],
    outputs: [{ name: OUTPUT, shape: [null, program.classes] }],
    initializers,
    nodes,
    metadata: { [MODEL_METADATA]: JSON.stringify(model) },
  };
}
