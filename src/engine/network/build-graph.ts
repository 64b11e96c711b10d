// Turns a program into a graph: each layer becomes a node; ReLUs, residual sums and folded batch norms become parts of the
// node before them.
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
import { type Graph, inputsOf, type Node, type NodeOf, type Value } from './graph.ts';

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

interface GraphOptions {
  /** Zero columns that every activation needs. */
  readonly pad: number;
  /** True if a batch norm after a convolution is folded into it. */
  readonly fold: boolean;
  /** Register tiles that the kernels take at once. */
  readonly tiles: number;
}

/** The nodes and values of a graph that is being built. */
interface Draft extends GraphOptions {
  readonly nodes: Node[];
  readonly values: Value[];
  /** A new value. */
  value(of: Layout, relu?: boolean): Value;
  /** The value in blocks of `nb` images, copied if it is in others. */
  inBlocks(x: Value, nb: number): Value;
  /** The value in planes, as a strided convolution reads it. The two strided convolutions of a residual layer share them. */
  inPlanes(x: Value, planes: number, of: Layout): Value;
}

function draftOf(options: GraphOptions): Draft {
  const nodes: Node[] = [];
  const values: Value[] = [];
  const planesOf = new Map<string, Value>();
  const value = (of: Layout, relu = false): Value => {
    const made = { id: values.length, layout: of, relu };
    values.push(made);
    return made;
  };
  const repacked = (form: NodeOf<'repack'>['form'], planes: number, x: Value, of: Layout): Value => {
    const y = value(of);
    nodes.push({ kind: 'repack', form, planes, x, y });
    return y;
  };
  return {
    ...options,
    nodes,
    values,
    value,
    inBlocks(x, nb) {
      const { height, width, channels, pad } = x.layout;
      return x.layout.nb === nb ? x : repacked('blocks', 1, x, layout(height, width, channels, pad, nb));
    },
    inPlanes(x, planes, of) {
      const key = [x.id, planes, of.nb].join();
      const known = planesOf.get(key);
      if (known !== undefined) return known;
      const y = repacked('planes', planes, x, of);
      planesOf.set(key, y);
      return y;
    },
  };
}

/** The layers that follow one, which may take over some of them. */
interface Rest {
  /** True if a ReLU is next; it then counts as a part of the layer. */
  takeRelu(): boolean;
  /** The name of the batch norm that is next, which then counts as a part of the layer; null if there is none. */
  takeNorm(): string | null;
}

type LayerOf<Kind extends Layer['kind']> = Extract<Layer, { kind: Kind }>;

/** Adds the nodes of a layer that reads `x`, and returns its output. */
type AddLayer<Kind extends Layer['kind']> = (layer: LayerOf<Kind>, x: Value, draft: Draft, rest: Rest) => Value;

const ADD: { readonly [Kind in Layer['kind']]: AddLayer<Kind> } = {
  conv: (layer, x, draft, rest) => {
    const { height, width, channels } = x.layout;
    const of = geometry(convolutionShape(layer, [height, width, channels]), draft.pad, draft.tiles);
    const source = layer.stride > 1 ? draft.inPlanes(x, layer.stride, of.x) : draft.inBlocks(x, of.x.nb);
    const shape = [layer.size, layer.size, layer.inputs, layer.filters];
    return addConvolution(layer, of, shape, source, draft, rest);
  },
  dense: (layer, x, draft, rest) => {
    const of: Geometry = {
      kernel: [1, 1],
      stride: 1,
      padding: [0, 0],
      inputs: layer.inputs,
      outputs: layer.units,
      x: features(layer.inputs),
      y: features(layer.units),
    };
    return addConvolution(layer, of, [layer.inputs, layer.units], x, draft, rest);
  },
  batchNorm: ({ name }, x, draft, rest) => {
    const y = draft.value(x.layout, rest.takeRelu());
    draft.nodes.push({ kind: 'batchNorm', name, x, add: null, y });
    return y;
  },
  normalize: ({ mean, std }, x, draft, rest) => {
    const y = draft.value(x.layout, rest.takeRelu());
    draft.nodes.push({ kind: 'normalize', mean, std, x, y });
    return y;
  },
  relu: (_layer, x, draft) => {
    const y = draft.value(x.layout, true);
    draft.nodes.push({ kind: 'combine', a: x, b: null, y });
    return y;
  },
  maxPool: (layer, x, draft) => {
    const [height, width, channels] = outputShape(layer, [x.layout.height, x.layout.width, x.layout.channels]);
    const y = draft.value(layout(height, width, channels, draft.pad, naturalBlock(width, draft.tiles)));
    draft.nodes.push({ kind: 'maxPool', size: layer.size, x, y });
    return y;
  },
  globalAveragePool: (_layer, x, draft) => {
    const y = draft.value(features(x.layout.channels));
    draft.nodes.push({ kind: 'averagePool', x, y });
    return y;
  },
  flatten: (_layer, x, draft) => {
    const { height, width, channels } = x.layout;
    const y = draft.value(features(height * width * channels));
    draft.nodes.push({ kind: 'repack', form: 'flatten', planes: 1, x, y });
    return y;
  },
  residual: ({ shortcut, body }, x, draft, rest) => {
    const { nodes } = draft;
    const b = addLayers(shortcut, x, draft);
    const a = addLayers(body, x, draft);
    const last = nodes[nodes.length - 1];
    const fused = (last.kind === 'conv' || last.kind === 'batchNorm') && last.y === a && !last.add && !a.relu;
    if (fused) nodes.pop();
    const add = draft.inBlocks(b, a.layout.nb);
    const y = draft.value(a.layout, rest.takeRelu());
    nodes.push(fused ? { ...last, add, y } : { kind: 'combine', a, b: add, y });
    return y;
  },
};

/** A convolution, or a fully connected layer as one of a single pixel. */
function addConvolution(
  { name, bias }: LayerOf<'conv' | 'dense'>,
  of: Geometry,
  shape: readonly number[],
  x: Value,
  draft: Draft,
  rest: Rest,
): Value {
  const norm = draft.fold ? rest.takeNorm() : null;
  const y = draft.value(of.y, rest.takeRelu());
  draft.nodes.push({ kind: 'conv', name, geometry: of, shape, bias, norm, x, add: null, y });
  return y;
}

/** Adds layers one after another, of which the first reads `start`; returns the last one's output. */
function addLayers(layers: readonly Layer[], start: Value, draft: Draft): Value {
  let x = start;
  let next = 0;
  const rest: Rest = {
    takeRelu() {
      const isNext = layers[next]?.kind === 'relu';
      if (isNext) next++;
      return isNext;
    },
    takeNorm() {
      const layer = layers[next];
      if (layer?.kind !== 'batchNorm') return null;
      next++;
      return layer.name;
    },
  };
  while (next < layers.length) {
    const layer = layers[next++];
    x = (ADD[layer.kind] as AddLayer<Layer['kind']>)(layer, x, draft, rest);
  }
  return x;
}

/**
 * A program as nodes in order of execution.
 *
 * @param fold true if a batch norm after a convolution is folded into it
 * @param tiles register tiles that the kernels take at once
 */
export function buildGraph(program: Program, fold: boolean, tiles = 1): Graph {
  const pad = padOfLayers(program.layers, program.inputShape);
  const draft = draftOf({ pad, fold, tiles });
  const [height, width, channels] = program.inputShape;
  // A flat network reads its images as the features that they are.
  const flat = program.layers[0]?.kind === 'flatten';
  const input = draft.value(
    flat ? features(height * width * channels) : layout(height, width, channels, pad, naturalBlock(width, tiles)),
  );
  draft.nodes.push({ kind: 'input', y: input });
  const output = addLayers(flat ? program.layers.slice(1) : program.layers, input, draft);
  draft.nodes.push({ kind: 'output', x: output });
  const { nodes, values } = draft;
  const consumers = values.map(() => 0);
  for (const node of nodes) for (const { id } of inputsOf(node)) consumers[id]++;
  return { nodes, values, consumers, outputs: output.layout.channels };
}
