// Turns a network into a graph of nodes that the engine plans.
import { type ImageShape, type Layer, outputShape, type Program } from '../../ops/network.ts';
import {
  type ConvolutionShape,
  features,
  type Geometry,
  geometry,
  type Layout,
  layout,
  naturalBlock,
  padOf,
} from '../layout/layout.ts';

/** Activations between two nodes. */
export interface Value {
  readonly id: number;
  readonly layout: Layout;
  /** True if these are the outputs of a ReLU, whose signs are kept. */
  readonly relu: boolean;
}

/** One step of a network, its shapes and layouts resolved. */
export type Node =
  | { readonly kind: 'input'; readonly y: Value }
  | {
      readonly kind: 'conv';
      readonly name: string;
      readonly geometry: Geometry;
      /** The kernel's dense shape. */
      readonly shape: readonly number[];
      readonly bias: boolean;
      /** The batch norm whose running statistics are folded into weights and bias. */
      readonly norm: string | null;
      readonly x: Value;
      /** What is added before the ReLU: the other branch of a residual layer. */
      readonly add: Value | null;
      readonly y: Value;
    }
  | {
      readonly kind: 'batchNorm';
      readonly name: string;
      readonly x: Value;
      readonly add: Value | null;
      readonly y: Value;
    }
  | {
      readonly kind: 'normalize';
      readonly mean: readonly number[];
      readonly std: readonly number[];
      readonly x: Value;
      readonly y: Value;
    }
  /** a + b, or a alone */
  | { readonly kind: 'combine'; readonly a: Value; readonly b: Value | null; readonly y: Value }
  | { readonly kind: 'maxPool'; readonly size: number; readonly x: Value; readonly y: Value }
  | { readonly kind: 'averagePool'; readonly x: Value; readonly y: Value }
  /** A copy of activations into another layout: other blocks, the planes of a strided convolution, or one row of features. */
  | {
      readonly kind: 'repack';
      readonly form: 'blocks' | 'planes' | 'flatten';
      readonly planes: number;
      readonly x: Value;
      readonly y: Value;
    }
  | { readonly kind: 'output'; readonly x: Value };

export type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

export interface Graph {
  readonly nodes: readonly Node[];
  readonly values: readonly Value[];
  /** Number of nodes that read each value. */
  readonly consumers: readonly number[];
  /** Values of the output a sample. */
  readonly outputs: number;
}

/** The values that a node reads. */
export function inputsOf(node: Node): readonly Value[] {
  switch (node.kind) {
    case 'input':
      return [];
    case 'combine':
      return node.b ? [node.a, node.b] : [node.a];
    case 'conv':
    case 'batchNorm':
      return node.add ? [node.x, node.add] : [node.x];
    default:
      return [node.x];
  }
}

const convolutionShape = (layer: Extract<Layer, { kind: 'conv' }>, input: ImageShape): ConvolutionShape => ({
  kernel: [layer.size, layer.size],
  stride: layer.stride,
  padding: [layer.padding, layer.padding],
  input: input as [number, number, number],
  output: outputShape(layer, input) as [number, number, number],
});

/** Zero columns that every activation of a program needs. */
function padOfLayers(layers: readonly Layer[], input: ImageShape): number {
  let pad = 0;
  let shape = input;
  for (const layer of layers) {
    if (layer.kind === 'conv') pad = Math.max(pad, padOf(convolutionShape(layer, shape)));
    if (layer.kind === 'residual') {
      pad = Math.max(pad, padOfLayers(layer.body, shape), padOfLayers(layer.shortcut, shape));
    }
    shape = outputShape(layer, shape);
  }
  return pad;
}

/**
 * A program as nodes in order of execution, ReLUs and residual sums fused into what comes before them.
 *
 * @param fold whether a batch norm after a convolution is folded into it
 * @param tiles register tiles that the kernels take at once
 */
export function buildGraph(program: Program, fold: boolean, tiles = 1): Graph {
  const pad = padOfLayers(program.layers, program.inputShape);
  const nodes: Node[] = [];
  const values: Value[] = [];
  const value = (of: Layout, relu = false): Value => {
    const made = { id: values.length, layout: of, relu };
    values.push(made);
    return made;
  };
  const inBlocks = (x: Value, nb: number): Value => {
    if (x.layout.nb === nb) return x;
    const { height, width, channels } = x.layout;
    const y = value(layout(height, width, channels, x.layout.pad, nb));
    nodes.push({ kind: 'repack', form: 'blocks', planes: 1, x, y });
    return y;
  };

  /** The two strided convolutions of a residual layer read the same planes. */
  const planesOf = new Map<string, Value>();
  const inPlanes = (x: Value, planes: number, of: Layout): Value => {
    const key = [x.id, planes, of.nb].join();
    let y = planesOf.get(key);
    if (y === undefined) {
      y = value(of);
      planesOf.set(key, y);
      nodes.push({ kind: 'repack', form: 'planes', planes, x, y });
    }
    return y;
  };

  const run = (layers: readonly Layer[], start: Value): Value => {
    let x = start;
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[i];
      const followedBy = (kind: Layer['kind']): boolean => layers[i + 1]?.kind === kind;
      const takeRelu = (): boolean => {
        if (!followedBy('relu')) return false;
        i++;
        return true;
      };
      switch (layer.kind) {
        case 'conv': {
          const { height, width, channels } = x.layout;
          const g = geometry(convolutionShape(layer, [height, width, channels]), pad, tiles);
          let source = x;
          if (layer.stride > 1) {
            source = inPlanes(x, layer.stride, g.x);
          } else {
            source = inBlocks(x, g.x.nb);
          }
          const next = layers[i + 1];
          const norm = fold && next?.kind === 'batchNorm' ? next.name : null;
          if (norm !== null) i++;
          const y = value(g.y, takeRelu());
          const shape = [layer.size, layer.size, layer.inputs, layer.filters];
          nodes.push({
            kind: 'conv',
            name: layer.name,
            geometry: g,
            shape,
            bias: layer.bias,
            norm,
            x: source,
            add: null,
            y,
          });
          x = y;
          break;
        }
        case 'dense': {
          const g: Geometry = {
            kernel: [1, 1],
            stride: 1,
            padding: [0, 0],
            inputs: layer.inputs,
            outputs: layer.units,
            x: features(layer.inputs),
            y: features(layer.units),
          };
          const next = layers[i + 1];
          const norm = fold && next?.kind === 'batchNorm' ? next.name : null;
          if (norm !== null) i++;
          const y = value(g.y, takeRelu());
          const shape = [layer.inputs, layer.units];
          nodes.push({ kind: 'conv', name: layer.name, geometry: g, shape, bias: layer.bias, norm, x, add: null, y });
          x = y;
          break;
        }
        case 'batchNorm': {
          const y = value(x.layout, takeRelu());
          nodes.push({ kind: 'batchNorm', name: layer.name, x, add: null, y });
          x = y;
          break;
        }
        case 'normalize': {
          const y = value(x.layout, takeRelu());
          nodes.push({ kind: 'normalize', mean: layer.mean, std: layer.std, x, y });
          x = y;
          break;
        }
        case 'relu': {
          const y = value(x.layout, true);
          nodes.push({ kind: 'combine', a: x, b: null, y });
          x = y;
          break;
        }
        case 'maxPool': {
          const [height, width, channels] = outputShape(layer, [x.layout.height, x.layout.width, x.layout.channels]);
          const y = value(layout(height, width, channels, pad, naturalBlock(width, tiles)));
          nodes.push({ kind: 'maxPool', size: layer.size, x, y });
          x = y;
          break;
        }
        case 'globalAveragePool': {
          const y = value(features(x.layout.channels));
          nodes.push({ kind: 'averagePool', x, y });
          x = y;
          break;
        }
        case 'flatten': {
          const { height, width, channels } = x.layout;
          const y = value(features(height * width * channels));
          nodes.push({ kind: 'repack', form: 'flatten', planes: 1, x, y });
          x = y;
          break;
        }
        case 'residual': {
          const short = run(layer.shortcut, x);
          const body = run(layer.body, x);
          const last = nodes[nodes.length - 1];
          const fused =
            (last.kind === 'conv' || last.kind === 'batchNorm') && last.y === body && !last.add && !body.relu;
          if (fused) nodes.pop();
          const add = inBlocks(short, body.layout.nb);
          const y = value(body.layout, takeRelu());
          nodes.push(fused ? { ...last, add, y } : { kind: 'combine', a: body, b: add, y });
          x = y;
          break;
        }
        default:
          layer satisfies never;
      }
    }
    return x;
  };

  const [height, width, channels] = program.inputShape;
  // A flat network reads its images as the features that they are.
  const flat = program.layers[0]?.kind === 'flatten';
  const input = value(
    flat ? features(height * width * channels) : layout(height, width, channels, pad, naturalBlock(width, tiles)),
  );
  nodes.push({ kind: 'input', y: input });
  const output = run(flat ? program.layers.slice(1) : program.layers, input);
  nodes.push({ kind: 'output', x: output });
  const consumers = values.map(() => 0);
  for (const node of nodes) for (const { id } of inputsOf(node)) consumers[id]++;
  return { nodes, values, consumers, outputs: output.layout.channels };
}
