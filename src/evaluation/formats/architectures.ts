import { InputError } from '../../core/errors.ts';
import type { PixelShape } from '../../data/types.ts';
import { buildModel, pytorchTensors } from '../../models/index.ts';
import { batchNorm, dense, flatten, globalAveragePool, halve, relu } from '../../models/layers.ts';
import type { Layer, Program } from '../../ops/network.ts';

/** The entries of a state dict: their shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** A network that a state dict may belong to. */
export interface Architecture {
  /** Such as `resnet18`. */
  readonly name: string;
  /** Of its channels to those of the published network. */
  readonly width: number;
  readonly program: Program;
}

/** A family of networks, told by the names of its weights. */
interface Family {
  /** What its code calls the weights, for messages. */
  readonly expected: string;
  /** Other names that common code gives modules, and ours. */
  readonly renames: Readonly<Record<string, string>>;
  recognises(shapes: Shapes): boolean;
  /** @throws InputError for a member that is not supported */
  build(shapes: Shapes, images: PixelShape): Architecture;
}

/** The families of networks whose weights can be read; a new one is a row. */
const FAMILIES: readonly Family[] = [
  {
    expected: 'pre-activation ResNet-18 (conv1, layer1.0.bn1, layer1.0.conv1, layer2.0.shortcut.0, …, bn, linear)',
    renames: { fc: 'linear' },
    recognises: (shapes) => shapes.has('layer1.0.conv1.weight') && shapes.has('bn.weight'),
    build: buildPreactResnet,
  },
  {
    expected: 'ResNet (conv1, bn1, layer1.0.conv1, layer2.0.shortcut.0, …, linear)',
    renames: { 'layer*.*.downsample': 'layer*.*.shortcut', fc: 'linear' },
    recognises: (shapes) => shapes.has('layer1.0.conv1.weight'),
    build: buildResnet,
  },
  {
    expected: 'WRN (conv1, block1.layer.0.conv1, block2.layer.0.convShortcut, …, bn1, fc)',
    renames: { linear: 'fc' },
    recognises: (shapes) => shapes.has('block1.layer.0.conv1.weight'),
    build: buildWideResnet,
  },
  {
    expected: 'VGG (features.0, features.1, …, classifier)',
    renames: { fc: 'classifier', linear: 'classifier' },
    recognises: (shapes) => shapes.has('features.0.weight'),
    build: buildVgg,
  },
  {
    expected: 'our own mlp, cnn, lenet300 and lenet5 (conv1, bn1, …, fc1, …)',
    renames: {},
    recognises: (shapes) => [...shapes.keys()].every((name) => /^(conv|bn|fc)\d*\./.test(name)),
    build: buildSmall,
  },
];

/** Names of weights by other names; `*` stands for any one part between dots. */
export type Renames = Readonly<Record<string, string>>;

/**
 * Which network a state dict belongs to, and its entries by the names that this network has.
 *
 * @param shapes of the file's entries
 * @param images [height, width, channels], which shapes do not tell
 * @returns the network, and for each of its entries the name in the file
 * @throws InputError if it is none that is supported
 */
export function recogniseArchitecture(
  shapes: Shapes,
  renames: Renames,
  images: PixelShape,
): Architecture & { readonly nameInFile: ReadonlyMap<string, string> } {
  const bare = withoutCommonPrefix(new Map([...shapes.keys()].map((name) => [name, name])));
  const given = renamed(bare, withoutPrefixOf(bare, renames));
  for (const family of FAMILIES) {
    const names = renamed(given, family.renames);
    const known = new Map([...names].map(([name, inFile]) => [name, shapes.get(inFile) ?? []]));
    if (!family.recognises(known)) continue;
    const numbered = family.build === buildVgg ? numberClassifier(names, known) : names;
    const architecture = family.build(
      new Map([...numbered].map(([name, inFile]) => [name, shapes.get(inFile) ?? []])),
      images,
    );
    return { ...architecture, nameInFile: numbered };
  }
  const first = [...given.keys()].slice(0, 8).join(', ');
  throw new InputError(
    `These weights are of no network that Equipoise knows by their names: ${first}, …. It knows ${FAMILIES.map(({ expected }) => expected).join('; ')}. Give other names with --names, or wrap the model with --module.`,
  );
}

/** Names in the file by the names after renaming. */
function renamed(names: ReadonlyMap<string, string>, renames: Renames): Map<string, string> {
  const rules = Object.entries(renames).map(([from, to]) => ({ from: from.split('.'), to: to.split('.') }));
  return new Map([...names].map(([name, inFile]) => [renameOne(name.split('.'), rules), inFile]));
}

interface Rule {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** The first rule that fits the first parts of a name; each `*` of its result takes what a `*` in turn stood for. */
function renameOne(parts: readonly string[], rules: readonly Rule[]): string {
  for (const { from, to } of rules) {
    const stars: string[] = [];
    const fits = from.every((pattern, i) => {
      const match = parts[i] === undefined ? null : patternOf(pattern).exec(parts[i]);
      stars.push(...(match?.slice(1) ?? []));
      return match !== null;
    });
    if (!fits) continue;
    const start = to.map((part) => part.replaceAll('*', () => stars.shift() ?? '*')).filter((part) => part !== '');
    return [...start, ...parts.slice(from.length)].join('.');
  }
  return parts.join('.');
}

const patternOf = (pattern: string): RegExp => new RegExp(`^${pattern.split('*').map(escapeRegExp).join('(.*)')}$`);

const escapeRegExp = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** `module.` of DataParallel, `model.` of a wrapper, and whatever else all names start with. */
function withoutCommonPrefix(names: Map<string, string>): Map<string, string> {
  const [first] = [...names.keys()].map((name) => name.split('.'));
  if (first === undefined || first.length < 3) return names;
  if (![...names.keys()].every((name) => name.startsWith(`${first[0]}.`))) return names;
  return withoutCommonPrefix(new Map([...names].map(([name, inFile]) => [name.slice(first[0].length + 1), inFile])));
}

/** Renames that may have been written with the prefix that all names of the file start with. */
function withoutPrefixOf(names: ReadonlyMap<string, string>, renames: Renames): Renames {
  const [[name, inFile] = ['', '']] = names;
  const prefix = inFile.slice(0, inFile.length - name.length);
  return Object.fromEntries(
    Object.entries(renames).map(([from, to]) => [from.startsWith(prefix) ? from.slice(prefix.length) : from, to]),
  );
}

const outputsOf = (shapes: Shapes, name: string): number => shapes.get(name)?.[0] ?? 0;

const indicesBelow = (shapes: Shapes, prefix: string): number[] => {
  const found = [...shapes.keys()].flatMap((name) =>
    name.startsWith(prefix) ? [Number(name.slice(prefix.length).split('.')[0])] : [],
  );
  return [...new Set(found.filter(Number.isInteger))].sort((a, b) => a - b);
};

function buildResnet(shapes: Shapes, inputShape: PixelShape): Architecture {
  const stages = [1, 2, 3, 4].map((stage) => indicesBelow(shapes, `layer${stage}.`).length);
  const kind = shapes.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic';
  const known: Readonly<Record<string, string>> = {
    'basic 2,2,2,2': 'resnet18',
    'basic 3,4,6,3': 'resnet34',
    'bottleneck 3,4,6,3': 'resnet50',
  };
  const name = known[`${kind} ${stages}`];
  if (name === undefined) {
    throw new InputError(
      `A ResNet of ${kind} blocks in stages of ${stages.join(', ')} is none of ${Object.values(known).join(', ')}. Wrap the model with --module.`,
    );
  }
  const stem = shapes.get('conv1.weight');
  if (stem?.[2] !== 3) {
    throw new InputError(
      `The ${name} starts with a convolution of ${stem?.[2]}×${stem?.[3]}, as those for ImageNet do; Equipoise knows those for CIFAR, which start with 3×3. Wrap the model with --module.`,
    );
  }
  const options = { inputShape, classes: outputsOf(shapes, 'linear.weight'), width: stem[0] / 64 };
  return { name, width: options.width, program: buildModel(name, options) };
}

function buildPreactResnet(shapes: Shapes, inputShape: PixelShape): Architecture {
  const stages = [1, 2, 3, 4].map((stage) => indicesBelow(shapes, `layer${stage}.`).length);
  if (String(stages) !== '2,2,2,2' || shapes.has('layer1.0.conv3.weight')) {
    throw new InputError(
      `Of pre-activation ResNets Equipoise knows that of 18 layers, stages of 2, 2, 2, 2 basic blocks; these weights have stages of ${stages.join(', ')}${shapes.has('layer1.0.conv3.weight') ? ' bottlenecks' : ''}. Wrap the model with --module.`,
    );
  }
  const options = {
    inputShape,
    classes: outputsOf(shapes, 'linear.weight'),
    width: outputsOf(shapes, 'conv1.weight') / 64,
  };
  return { name: 'preactresnet18', width: options.width, program: buildModel('preactresnet18', options) };
}

function buildWideResnet(shapes: Shapes, inputShape: PixelShape): Architecture {
  const stem = outputsOf(shapes, 'conv1.weight');
  const depth = 6 * indicesBelow(shapes, 'block1.layer.').length + 4;
  const widen = Math.max(1, Math.round(outputsOf(shapes, 'block1.layer.0.conv1.weight') / stem));
  const name = `wrn-${depth}-${widen}`;
  const options = { inputShape, classes: outputsOf(shapes, 'fc.weight'), width: stem / 16 };
  return { name, width: options.width, program: buildModel(name, options) };
}

/**
 * A VGG of any depth and width, with or without batch norm. The numbers in `features` tell where it pools: a number is
 * missing for each ReLU and each pooling.
 */
function buildVgg(shapes: Shapes, inputShape: PixelShape): Architecture {
  const slots = indicesBelow(shapes, 'features.');
  const isConv = (slot: number) => shapes.get(`features.${slot}.weight`)?.length === 4;
  const convolutions = slots.filter(isConv);
  const layers: Layer[] = [];
  convolutions.forEach((slot, i) => {
    const [filters, inputs, size] = shapes.get(`features.${slot}.weight`) ?? [];
    const normalised = slots.includes(slot + 1) && !isConv(slot + 1);
    layers.push({
      kind: 'conv',
      name: `conv${i + 1}`,
      inputs,
      filters,
      size,
      stride: 1,
      padding: (size - 1) / 2,
      bias: !normalised,
    });
    if (normalised) layers.push(batchNorm(`bn${i + 1}`, filters));
    layers.push(relu);
    const next = convolutions[i + 1];
    if (next !== undefined && next - slot === (normalised ? 4 : 3)) layers.push(halve);
  });
  const linear = indicesOfClassifier(shapes);
  const last = layers.findLast((layer) => layer.kind === 'conv');
  const channels = last?.kind === 'conv' ? last.filters : 0;
  const pools = layers.filter(({ kind }) => kind === 'maxPool').length;
  const [height, width] = inputShape;
  const shrunk = (times: number) => Math.floor(height / 2 ** times) * Math.floor(width / 2 ** times) * channels;
  const features = shapes.get(linear[0] ?? '')?.[1] ?? 0;
  if (features === shrunk(pools)) layers.push(flatten);
  else if (features === shrunk(pools + 1)) layers.push(halve, flatten);
  else if (features === channels) layers.push(halve, globalAveragePool);
  else {
    throw new InputError(
      `The classifier of this VGG takes ${features} features; images of [${inputShape.join(', ')}] give it ${shrunk(pools)}, or ${shrunk(pools + 1)} after one more pooling. Evaluate it on images of the size that it was trained on.`,
    );
  }
  linear.forEach((name, i) => {
    const [units, inputs] = shapes.get(name) ?? [];
    layers.push(...(i === 0 ? [] : [relu]), dense(`dense${convolutions.length + 1 + i}`, inputs, units));
  });
  const classes = outputsOf(shapes, linear[linear.length - 1] ?? '');
  return {
    name: `vgg${convolutions.length + linear.length}`,
    width: outputsOf(shapes, 'features.0.weight') / 64,
    program: { inputShape, classes, layers },
  };
}

/** Weights of the fully connected layers, in order. */
const indicesOfClassifier = (shapes: Shapes): string[] =>
  shapes.has('classifier.weight')
    ? ['classifier.weight']
    : indicesBelow(shapes, 'classifier.').map((slot) => `classifier.${slot}.weight`);

/** The fully connected layers numbered as without the dropout that may lie between them. */
function numberClassifier(names: ReadonlyMap<string, string>, shapes: Shapes): Map<string, string> {
  const slots = indicesBelow(shapes, 'classifier.');
  const numbered = (slot: number): string =>
    slots.length === 1 ? 'classifier' : `classifier.${2 * slots.indexOf(slot)}`;
  return new Map(
    [...names].map(([name, inFile]) => {
      const [, slot, leaf] = /^classifier\.(\d+)\.(.*)$/.exec(name) ?? [];
      return [slot === undefined ? name : `${numbered(Number(slot))}.${leaf}`, inFile];
    }),
  );
}

const SMALL = ['cnn', 'lenet5', 'lenet300', 'mlp'] as const;

/** The small network whose tensors these are. */
function buildSmall(shapes: Shapes, inputShape: PixelShape): Architecture {
  const built = SMALL.flatMap((name): Architecture[] => {
    const options = { inputShape, classes: classesOfSmall(shapes), width: 1 };
    const full = pytorchTensors(buildModel(name, options))[0].layout.shape[0];
    const first = ['conv1.weight', 'fc1.weight'].find((weight) => shapes.has(weight)) ?? '';
    const width = outputsOf(shapes, first) / full;
    return [{ name, width, program: buildModel(name, { ...options, width }) }];
  });
  const misfits = (program: Program) =>
    pytorchTensors(program).filter(({ key, layout }) => String(shapes.get(key)) !== String(layout.shape)).length;
  return built.toSorted((a, b) => misfits(a.program) - misfits(b.program))[0];
}

/** Outputs of the last fully connected layer. */
const classesOfSmall = (shapes: Shapes): number => {
  const names = [...shapes].filter(([name, { length }]) => length === 2 && name.endsWith('.weight'));
  return Math.max(
    2,
    names
      .map(([name]) => name)
      .sort()
      .map((name) => outputsOf(shapes, name))
      .at(-1) ?? 2,
  );
};
