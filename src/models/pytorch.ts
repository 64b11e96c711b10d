// The names and layouts of a network's weights in PyTorch.
import { sizeOf } from '../core/structure.ts';
import { eachShape, type ImageShape, type Layer, type Program } from '../ops/network.ts';

/**
 * How the values of a tensor of ours lie in PyTorch: seen as `view`, their axes in the order `order` are PyTorch's tensor,
 * and reshaped to `shape` it is the very entry of a state dict.
 *
 * A convolution [size, size, inputs, filters] is [filters, inputs, size, size] there, a dense kernel [inputs, units] is
 * [units, inputs]. PyTorch flattens an image channel by channel, so what follows a flattening is reordered as well.
 */
export interface PytorchLayout {
  readonly view: readonly number[];
  readonly order: readonly number[];
  readonly shape: readonly number[];
}

/** A parameter or statistic of a network, with its place in a PyTorch state dict. */
export interface PytorchTensor {
  /** Ours, such as `conv1.kernel`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** True if it is a batch norm's running mean or variance. */
  readonly statistic: boolean;
  /** PyTorch's, such as `features.0.weight`. */
  readonly key: string;
  readonly layout: PytorchLayout;
}

/** The key of a safetensors file's metadata under which a `ModelRecord` as JSON says which network the weights are of. */
export const MODEL_METADATA = 'equipoise_model';

/** What the parts of a layer are called in PyTorch. */
const LEAVES = {
  kernel: 'weight',
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  moving_mean: 'running_mean',
  moving_variance: 'running_var',
} as const;

type Leaf = keyof typeof LEAVES;

/**
 * Every parameter and statistic of a network in order of execution, with its name and layout in the PyTorch code that the
 * network is known from: for ResNet and WRN our own names, for VGG `features.N` and `classifier`, counted as the layers of
 * an `nn.Sequential`.
 */
export function pytorchTensors(program: Program): PytorchTensor[] {
  const modules = moduleNames(program);
  let flattened: ImageShape | null = null;
  return [...eachShape(program.layers, program.inputShape)].flatMap(({ layer, input }): PytorchTensor[] => {
    if (layer.kind === 'flatten') flattened = input;
    const before = flattened;
    if (layer.kind === 'dense') flattened = null;
    return leavesOf(layer, before).map(([leaf, view, order, shape]) => ({
      name: `${nameOf(layer)}.${leaf}`,
      shape,
      statistic: leaf.startsWith('moving_'),
      key: `${modules.get(nameOf(layer))}.${LEAVES[leaf]}`,
      layout: { view, order, shape: permuted(view, order, shape.length) },
    }));
  });
}

const nameOf = (layer: Layer): string => ('name' in layer ? layer.name : '');

type LeafLayout = readonly [leaf: Leaf, view: readonly number[], order: readonly number[], shape: readonly number[]];

/**
 * The parts of a layer: how each is viewed, the order of its axes in PyTorch, and its shape here.
 *
 * @param flattened [height, width, channels] of what was flattened since the last fully connected layer
 */
function leavesOf(layer: Layer, flattened: ImageShape | null): LeafLayout[] {
  const vector = (leaf: Leaf, length: number): LeafLayout => [leaf, [length], [0], [length]];
  switch (layer.kind) {
    case 'conv': {
      const shape = [layer.size, layer.size, layer.inputs, layer.filters];
      return [['kernel', shape, [3, 2, 0, 1], shape], ...(layer.bias ? [vector('bias', layer.filters)] : [])];
    }
    case 'dense': {
      const shape = [layer.inputs, layer.units];
      const kernel: LeafLayout = flattened
        ? ['kernel', [...flattened, layer.units], [3, 2, 0, 1], shape]
        : ['kernel', shape, [1, 0], shape];
      return [kernel, ...(layer.bias ? [vector('bias', layer.units)] : [])];
    }
    case 'batchNorm':
      return (['gamma', 'beta', 'moving_mean', 'moving_variance'] as const).map((leaf) =>
        flattened ? [leaf, flattened, [2, 0, 1], [layer.channels]] : vector(leaf, layer.channels),
      );
    default:
      return [];
  }
}

/** The shape of a viewed tensor with its axes reordered, those after the first `rank − 1` joined. */
function permuted(view: readonly number[], order: readonly number[], rank: number): readonly number[] {
  const shape = order.map((axis) => view[axis]);
  return [...shape.slice(0, rank - 1), sizeOf(shape.slice(rank - 1))];
}

/** Layers by name, each with the name of its PyTorch module. */
function moduleNames({ layers }: Program): ReadonlyMap<string, string> {
  const named = [...eachNamed(layers)];
  return isVgg(layers) ? vggModules(layers) : new Map(named.map((name) => [name, name]));
}

function* eachNamed(layers: readonly Layer[]): Generator<string> {
  for (const layer of layers) {
    if (layer.kind === 'residual') yield* eachNamed([...layer.body, ...layer.shortcut]);
    else if ('name' in layer) yield layer.name;
  }
}

/** VGG numbers its fully connected layers on from its convolutions. */
const isVgg = (layers: readonly Layer[]): boolean =>
  layers.some((layer) => layer.kind === 'dense' && /^dense\d+$/.test(layer.name));

/** `features.N` up to the head, then `classifier`, or `classifier.0`, `.2`, … where it has several layers. */
function vggModules(layers: readonly Layer[]): ReadonlyMap<string, string> {
  const head = layers.findIndex(({ kind }) => kind === 'globalAveragePool' || kind === 'flatten');
  const first = layers[0].kind === 'normalize' ? 1 : 0;
  const classifier = layers.slice(head + 1);
  return new Map([
    ...layers.slice(first, head).map((layer, i): [string, string] => [nameOf(layer), `features.${i}`]),
    ...classifier.map((layer, i): [string, string] => [
      nameOf(layer),
      classifier.length === 1 ? 'classifier' : `classifier.${i}`,
    ]),
  ]);
}

/** Values of ours as PyTorch keeps them. */
export const toPytorch = (values: Float32Array, { view, order }: PytorchLayout): Float32Array<ArrayBuffer> =>
  transposed(values, view, order);

/** Values of PyTorch's as we keep them. */
export const fromPytorch = (values: Float32Array, { view, order }: PytorchLayout): Float32Array<ArrayBuffer> =>
  transposed(
    values,
    order.map((axis) => view[axis]),
    order.map((_, axis) => order.indexOf(axis)),
  );

/** A row-major array of this shape with its axes in another order. */
function transposed(
  values: Float32Array,
  shape: readonly number[],
  order: readonly number[],
): Float32Array<ArrayBuffer> {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const out = new Float32Array(values.length);
  const index = new Array<number>(order.length).fill(0);
  let source = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = values[source];
    for (let axis = order.length - 1; axis >= 0; axis--) {
      const stride = strides[order[axis]];
      source += stride;
      if (++index[axis] < shape[order[axis]]) break;
      source -= stride * index[axis];
      index[axis] = 0;
    }
  }
  return out;
}
