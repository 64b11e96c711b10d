// A network as Python code: an nn.Module whose state dict has the names and shapes of what is exported beside it.
import { buildModel } from '../../models/models.ts';
import { pytorchTensors } from '../../models/pytorch.ts';
import { eachShape, type Layer } from '../../ops/network.ts';
import type { ModelRecord } from '../types.ts';

export const CODE_FILE = 'model.py';

/** A module, or modules by the parts of their names. */
type Tree = Map<string, Tree | string>;

const python = (value: boolean): string => (value ? 'True' : 'False');
const list = (values: readonly number[]): string => `[${values.join(', ')}]`;

/** The constructor of a layer's module; null if the layer has no weights. */
function constructorOf(layer: Layer, rank: number): string | null {
  switch (layer.kind) {
    case 'conv': {
      const { inputs, filters, size, stride, padding, bias } = layer;
      return `nn.Conv2d(${inputs}, ${filters}, ${size}, stride=${stride}, padding=${padding}, bias=${python(bias)})`;
    }
    case 'dense':
      return `nn.Linear(${layer.inputs}, ${layer.units}, bias=${python(layer.bias)})`;
    case 'batchNorm':
      return `nn.BatchNorm${rank === 1 ? 1 : 2}d(${layer.channels})`;
    default:
      return null;
  }
}

/** Puts a module at its place, such as `layer1.0.conv1`. */
function place(tree: Tree, [first, ...rest]: readonly string[], module: string): void {
  if (rest.length === 0) {
    tree.set(first, module);
    return;
  }
  const inner = tree.get(first);
  const branch: Tree = inner instanceof Map ? inner : new Map();
  tree.set(first, branch);
  place(branch, rest, module);
}

/** Nested ModuleDicts, a module a line. */
function dictionary(tree: Tree, indent: string): string {
  const lines = [...tree].map(
    ([name, value]) =>
      `${indent}    '${name}': ${typeof value === 'string' ? value : dictionary(value, `${indent}    `)},\n`,
  );
  return `nn.ModuleDict({\n${lines.join('')}${indent}})`;
}

/** The expression for a module by its place: `self.layer1['0']['conv1']`. */
const reference = (module: string): string => {
  const [first, ...rest] = module.split('.');
  return `self.${first}${rest.map((part) => `['${part}']`).join('')}`;
};

/** Returns the code; equal networks give equal code. */
export function pytorchCode(model: ModelRecord): string {
  const program = buildModel(model.name, model);
  const [height, width, channels] = program.inputShape;
  const moduleOf = new Map(
    pytorchTensors(program).map(({ name, key }) => [
      name.slice(0, name.lastIndexOf('.')),
      key.slice(0, key.lastIndexOf('.')),
    ]),
  );
  const tree: Tree = new Map();
  for (const { layer, input } of eachShape(program.layers, program.inputShape)) {
    const made = constructorOf(layer, input.length);
    if (made !== null && 'name' in layer) place(tree, (moduleOf.get(layer.name) as string).split('.'), made);
  }

  const steps: string[] = [];
  let branches = 0;
  /** Writes the steps of some layers on a variable. */
  const run = (layers: readonly Layer[], x: string): void => {
    for (const layer of layers) {
      const step = stepOf(layer, x);
      if (step !== null) steps.push(`${x} = ${step}`);
    }
  };
  const stepOf = (layer: Layer, x: string): string | null => {
    switch (layer.kind) {
      case 'normalize':
        return `(${x} - self.mean) / self.std`;
      case 'conv':
      case 'dense':
      case 'batchNorm':
        return `${reference(moduleOf.get(layer.name) as string)}(${x})`;
      case 'relu':
        return `F.relu(${x})`;
      case 'maxPool': {
        const { size, stride = size, padding = 0 } = layer;
        return `F.max_pool2d(${x}, ${size}, stride=${stride}, padding=${padding})`;
      }
      case 'globalAveragePool':
        return `${x}.mean((2, 3))`;
      case 'flatten':
        return `${x}.flatten(1)`;
      case 'residual': {
        const shortcut = `shortcut${++branches}`;
        steps.push(`${shortcut} = ${x}`);
        run(layer.body, x);
        run(layer.shortcut, shortcut);
        return `${x} + ${shortcut}`;
      }
      default:
        return layer satisfies never;
    }
  };
  run(program.layers, 'x');

  const modules = [...tree].map(
    ([name, value]) => `self.${name} = ${typeof value === 'string' ? value : dictionary(value, '        ')}`,
  );
  const normalization = program.layers.flatMap((layer) =>
    layer.kind === 'normalize'
      ? (['mean', 'std'] as const).map(
          (name) =>
            `self.register_buffer('${name}', torch.tensor(${list(layer[name])}).view(-1, 1, 1), persistent=False)`,
        )
      : [],
  );
  const images = `[batch, ${channels}, ${height}, ${width}]`;
  return `"""${model.name}, as Equipoise exported it. Its weights lie in a .safetensors file beside this one.

    from model import load

    model = load('WEIGHTS.safetensors')    # in evaluation mode
    logits = model(images)                 # images: ${images}, pixels in [0, 1]${normalization.length > 0 ? '; the model normalises them' : ''}
"""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


class Network(nn.Module):
    """Images ${images} with pixels in [0, 1] to logits [batch, ${program.classes}]."""

    def __init__(self):
        super().__init__()
${[...normalization, ...modules].map((line) => `        ${line}\n`).join('')}
    def forward(self, x: torch.Tensor) -> torch.Tensor:
${steps.map((line) => `        ${line}\n`).join('')}        return x


def load(path: str) -> Network:
    """The network with the weights of a file, in evaluation mode."""
    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()
`;
}
