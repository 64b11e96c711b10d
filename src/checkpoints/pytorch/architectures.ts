// The families of networks whose state dicts can be read, told by the names and shapes of their weights.
import { InputError, UsageError } from '../../core/errors.ts';
import { plural } from '../../core/quantities.ts';
import type { PixelShape } from '../../data/types.ts';
import { batchNorm, dense, flatten, globalAveragePool, halve, relu } from '../../models/layers.ts';
import { buildModel } from '../../models/models.ts';
import { pytorchTensors } from '../../models/pytorch.ts';
import { BATCH_NORM_EPSILON, type Layer, type Program } from '../../ops/network.ts';
import { type Reading, readingFlags, STEMS, type StemName } from './reading.ts';

/** The entries of a state dict: their shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** A network that a state dict may belong to. */
export interface Architecture {
  /** The name of the network, such as `resnet18`. */
  readonly name: string;
  /** The ratio of its channels to those of the published network. */
  readonly width: number;
  readonly program: Program;
  /** Assumptions about the network that its weights do not show, in words. */
  readonly assumed: readonly string[];
}

/** A family of networks, told by the names of its weights. */
interface Family {
  /** The names of weights in its code, for messages. */
  readonly expected: string;
  /** Other names that common code gives modules, and ours. */
  readonly renames: Readonly<Record<string, string>>;
  /** The parts of a reading that its members have beside the activation. */
  readonly reads: readonly Exclude<keyof Reading, 'activation'>[];
  recognises(shapes: Shapes): boolean;
  /** @throws InputError for a member that is not supported, or that contradicts the reading */
  build(shapes: Shapes, images: PixelShape, reading: Reading): Architecture;
}

/** The families of networks whose weights can be read; a new one is a row. */
const FAMILIES: readonly Family[] = [
  {
    expected: 'pre-activation ResNet-18 (conv1, layer1.0.bn1, layer1.0.conv1, layer2.0.shortcut.0, …, bn, linear)',
    renames: { fc: 'linear' },
    reads: [],
    recognises: (shapes) => shapes.has('layer1.0.conv1.weight') && (shapes.has('bn.weight') || normsFirst(shapes)),
    build: buildPreactResnet,
  },
  {
    expected: 'ResNet (conv1, bn1, layer1.0.conv1, layer2.0.shortcut.0, …, linear)',
    renames: { 'layer*.*.downsample': 'layer*.*.shortcut', fc: 'linear' },
    reads: ['stem'],
    recognises: (shapes) => shapes.has('layer1.0.conv1.weight'),
    build: buildResnet,
  },
  {
    expected: 'WRN (conv1, block1.layer.0.conv1, block2.layer.0.convShortcut, …, bn1, fc)',
    renames: { linear: 'fc' },
    reads: [],
    recognises: (shapes) => shapes.has('block1.layer.0.conv1.weight'),
    build: buildWideResnet,
  },
  {
    expected: 'VGG (features.0, features.1, …, classifier)',
    renames: { fc: 'classifier', linear: 'classifier' },
    reads: ['pools'],
    recognises: (shapes) => shapes.has('features.0.weight'),
    build: buildVgg,
  },
  {
    expected: 'our own mlp, cnn, lenet300 and lenet5 (conv1, bn1, …, fc1, …)',
    renames: {},
    reads: [],
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
 * @param images [height, width, channels], which shapes do not tell; default 32×32, of as many channels as the first
 * convolution takes
 * @param reading what else shapes do not tell
 * @returns the network, and for each of its entries the name in the file
 * @throws InputError if it is none that is supported
 */
export function recogniseArchitecture(
  shapes: Shapes,
  renames: Renames,
  images: PixelShape | undefined,
  reading: Reading = {},
): Architecture & { readonly nameInFile: ReadonlyMap<string, string> } {
  const shapesBy = (names: Iterable<readonly [name: string, inFile: string]>): Shapes =>
    new Map(Array.from(names, ([name, inFile]) => [name, shapes.get(inFile) ?? []]));
  const bare = withoutCommonPrefix(new Map([...shapes.keys()].map((name) => [name, name])));
  const given = renamed(bare, renaming(withoutPrefixOf(bare, renames)));
  for (const family of FAMILIES) {
    const rename = renaming(family.renames);
    if (!family.recognises(shapesBy([...given].map(([name, inFile]) => [rename(name), inFile])))) continue;
    const names = renamed(given, rename);
    const numbered = family.build === buildVgg ? numberClassifier(names, shapesBy(names)) : names;
    const numberedShapes = shapesBy(numbered);
    checkChannels(numberedShapes, images);
    const built = family.build(numberedShapes, images ?? usualImages(numberedShapes), reading);
    const strange = (['stem', 'pools'] as const).find((part) => reading[part] && !family.reads.includes(part));
    if (strange !== undefined) {
      throw new UsageError(`${readingFlags({ [strange]: reading[strange] })} does not apply to a ${built.name}.`);
    }
    const nameInFile = family.build === buildVgg ? numberFeatures(numbered, numberedShapes, built.program) : numbered;
    const { program, assumed } = built;
    return { ...withActivation({ ...built, assumed: [...assumed, ...assumedOfLayers(program)] }, reading), nameInFile };
  }
  const first = [...given.keys()].slice(0, 8).join(', ');
  throw new InputError(
    `These weights are of no network that Equipoise knows by their names: ${first}, …. It knows ${FAMILIES.map(({ expected }) => expected).join('; ')}. Give other names with --names, or wrap the model with --module.`,
  );
}

/** Height and width of the images that most networks of this kind are for. */
const CIFAR = 32;

const usualImages = (shapes: Shapes): PixelShape => [CIFAR, CIFAR, channelsOf(shapes) ?? 3];

/** The channels that the first convolution takes; undefined for a network without one. */
function channelsOf(shapes: Shapes): number | undefined {
  const first = shapes.get('conv1.weight') ?? shapes.get('features.0.weight');
  return first?.length === 4 ? first[1] : undefined;
}

/** @throws InputError for images of another number of channels than the first convolution takes */
function checkChannels(shapes: Shapes, images: PixelShape | undefined): void {
  const channels = channelsOf(shapes);
  if (images === undefined || channels === undefined || channels === images[2]) return;
  throw new InputError(
    `These weights are of a network for images of ${plural(channels, 'channel')}, got images [${images.join(', ')}]. Name the data set that it was trained on, or export the network as ONNX behind a layer that makes ${channels === 1 ? 'grey of colours' : 'three channels of one'}.`,
  );
}

function withActivation(architecture: Architecture, { activation }: Reading): Architecture {
  if (activation !== undefined) {
    const { activation: _, ...program } = architecture.program;
    return { ...architecture, program: activation === 'relu' ? program : { ...program, activation } };
  }
  return { ...architecture, assumed: [...architecture.assumed, 'ReLU as its activation'] };
}

/** What every network with such layers is assumed to do, in words. */
function assumedOfLayers({ layers }: Program): string[] {
  const has = (kind: Layer['kind']) => layers.some((layer) => layer.kind === kind);
  const isPadded = layers.some((layer) => layer.kind === 'conv' && layer.padding > 0);
  return [
    ...(has('conv')
      ? [
          isPadded
            ? 'zero padding of its convolutions by half their size, rounded down'
            : 'no padding of its convolutions',
        ]
      : []),
    ...(has('globalAveragePool') ? ['an average over all places before the classifier'] : []),
    ...(has('batchNorm') ? [`an ε of ${BATCH_NORM_EPSILON} in its batch norms`] : []),
  ];
}

const renaming = (renames: Renames): ((name: string) => string) => {
  const rules = Object.entries(renames).map(([from, to]) => ({ from: from.split('.'), to: to.split('.') }));
  return (name) => renameOne(name.split('.'), rules);
};

/**
 * Names in the file by the names after renaming.
 *
 * @throws InputError if two entries of the file get one name, since only one of them can be meant
 */
function renamed(names: ReadonlyMap<string, string>, rename: (name: string) => string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, inFile] of names) {
    const other = found.get(rename(name));
    if (other !== undefined) {
      throw new InputError(
        `Both ${other} and ${inFile} are read as ${rename(name)}, and a network has one. Save the weights without the entry that it does not use.`,
      );
    }
    found.set(rename(name), inFile);
  }
  return found;
}

interface Rule {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** The first rule that fits the first parts of a name; each `*` of its result takes what a `*` in turn stood for. */
function renameOne(parts: readonly string[], rules: readonly Rule[]): string {
  for (const { from, to } of rules) {
    let stars: readonly string[] = [];
    const fits = from.every((pattern, i) => {
      const found = parts[i] === undefined ? null : starsOf(pattern, parts[i]);
      stars = stars.concat(found ?? []);
      return found !== null;
    });
    if (!fits) continue;
    let used = 0;
    const start = to.map((part) => part.replaceAll('*', () => stars[used++] ?? '*')).filter((part) => part !== '');
    return [...start, ...parts.slice(from.length)].join('.');
  }
  return parts.join('.');
}

/** What the stars of a pattern stand for in a text, each as little as fits; null if it does not fit. Takes linear time. */
function starsOf(pattern: string, text: string): readonly string[] | null {
  const [start, ...pieces] = pattern.split('*');
  if (pieces.length === 0) return text === pattern ? [] : null;
  if (!text.startsWith(start)) return null;
  const end = pieces.pop() as string;
  const stars: string[] = [];
  let at = start.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return null;
    stars.push(text.slice(at, found));
    at = found + piece.length;
  }
  if (at > text.length - end.length || !text.endsWith(end)) return null;
  return [...stars, text.slice(at, text.length - end.length)];
}

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

/**
 * The number of classes that a classifier's weight [classes, features] tells apart.
 *
 * @throws InputError if there is no such weight, or one output alone
 */
function classesOf(shapes: Shapes, network: string, weight: string): number {
  const classes = outputsOf(shapes, weight);
  if (classes > 1) return classes;
  throw new InputError(
    classes === 0
      ? `The weights are of a ${network}, but its classifier, ${weight}, is missing. If it is there under another name, say so with --names; else save the whole network.`
      : `The ${network} has one output, as a network that says yes or no. Attacks need a logit for each class: give [0, z] for its logit z, from a module (--module).`,
  );
}

const outputsOf = (shapes: Shapes, name: string): number => shapes.get(name)?.[0] ?? 0;

const indicesBelow = (shapes: Shapes, prefix: string): number[] => {
  const found = [...shapes.keys()].flatMap((name) =>
    name.startsWith(prefix) ? [Number(name.slice(prefix.length).split('.')[0])] : [],
  );
  return [...new Set(found.filter(Number.isInteger))].sort((a, b) => a - b);
};

function buildResnet(shapes: Shapes, inputShape: PixelShape, { stem }: Reading): Architecture {
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
  const first = shapes.get('conv1.weight');
  if (first === undefined) {
    throw new InputError(
      `The weights are of a ${name}, but its first convolution, conv1.weight, is missing. If it is there under another name, say so with --names; else wrap the model with --module.`,
    );
  }
  const [filters, , size, columns] = first;
  const usual = size === columns ? USUAL_STEMS[size] : undefined;
  if (usual === undefined) {
    throw new InputError(
      `The ${name} starts with a convolution of ${size}×${columns}; Equipoise knows those that start with 3×3 (for CIFAR) or 7×7 (for ImageNet). Wrap the model with --module.`,
    );
  }
  if (size === 7 && stem === 'cifar') {
    throw new UsageError(`--stem cifar starts with a convolution of 3×3; this ${name} starts with 7×7.`);
  }
  const options = { inputShape, classes: classesOf(shapes, name, 'linear.weight'), width: filters / 64 };
  const program = withStem(buildModel(name, options), size, stem ?? usual);
  const { stride, pool } = STEMS[usual];
  const assumed =
    stem === undefined
      ? [
          `a first convolution of stride ${stride} ${pool ? 'and a 3×3 max pool of stride 2' : 'without a max pool'} (--stem ${usual})`,
        ]
      : [];
  const strides = `strides of 1, 2, 2, 2 in its stages${kind === 'basic' ? '' : ', at the 3×3 convolutions'}`;
  return { name, width: options.width, program, assumed: [...assumed, strides] };
}

/** The layers that usually follow a first convolution of this size in a ResNet. */
const USUAL_STEMS: Readonly<Record<number, StemName>> = { 3: 'cifar', 7: 'imagenet' };

/** A ResNet with another first convolution, which batch norm, the activation and perhaps a max pool follow. */
function withStem({ layers, ...program }: Program, size: number, stem: StemName): Program {
  const [conv, norm, activation, ...blocks] = layers;
  if (conv.kind !== 'conv') throw new Error('A ResNet starts with a convolution.');
  const { stride, pool } = STEMS[stem];
  const first: Layer = { ...conv, size, stride, padding: (size - 1) / 2 };
  const pooling: Layer[] = pool ? [{ kind: 'maxPool', size: 3, stride: 2, padding: 1 }] : [];
  return { ...program, layers: [first, norm, activation, ...pooling, ...blocks] };
}

/** Whether a block's first norm has the channels of its input, not those of its first convolution's output. */
function normsFirst(shapes: Shapes): boolean {
  const [norm] = shapes.get('layer2.0.bn1.weight') ?? [];
  const [outputs, inputs] = shapes.get('layer2.0.conv1.weight') ?? [];
  return norm !== undefined && norm === inputs && norm !== outputs;
}

function buildPreactResnet(shapes: Shapes, inputShape: PixelShape): Architecture {
  const stages = [1, 2, 3, 4].map((stage) => indicesBelow(shapes, `layer${stage}.`).length);
  if (String(stages) !== '2,2,2,2' || shapes.has('layer1.0.conv3.weight')) {
    throw new InputError(
      `Of pre-activation ResNets Equipoise knows that of 18 layers, stages of 2, 2, 2, 2 basic blocks; these weights have stages of ${stages.join(', ')}${shapes.has('layer1.0.conv3.weight') ? ' bottlenecks' : ''}. Wrap the model with --module.`,
    );
  }
  if (!shapes.has('bn.weight')) {
    throw new InputError(
      'These weights are of a pre-activation ResNet without a last norm, as that of pytorch-cifar; Equipoise knows the one of Rice et al. (2020), which ends in a batch norm bn before the classifier. If the norm is there under another name, say so with --names; else export the network as ONNX, or wrap it with --module.',
    );
  }
  const options = {
    inputShape,
    classes: classesOf(shapes, 'preactresnet18', 'linear.weight'),
    width: outputsOf(shapes, 'conv1.weight') / 64,
  };
  return {
    name: 'preactresnet18',
    width: options.width,
    program: buildModel('preactresnet18', options),
    assumed: ['a first convolution of stride 1 without a max pool', 'strides of 1, 2, 2, 2 in its stages'],
  };
}

function buildWideResnet(shapes: Shapes, inputShape: PixelShape): Architecture {
  const stem = outputsOf(shapes, 'conv1.weight');
  const depth = 6 * indicesBelow(shapes, 'block1.layer.').length + 4;
  const widen = Math.max(1, Math.round(outputsOf(shapes, 'block1.layer.0.conv1.weight') / stem));
  const name = `wrn-${depth}-${widen}`;
  const options = { inputShape, classes: classesOf(shapes, name, 'fc.weight'), width: stem / 16 };
  return {
    name,
    width: options.width,
    program: buildModel(name, options),
    assumed: ['a first convolution of stride 1 without a max pool', 'strides of 1, 2, 2 in its blocks'],
  };
}

/** A convolution of a VGG. */
interface VggConvolution {
  readonly slot: number;
  readonly filters: number;
  readonly inputs: number;
  readonly size: number;
  readonly normalised: boolean;
  /** Modules without weights between its activation and the next convolution; null for the last one. */
  readonly spare: number | null;
}

/** A VGG of any depth and width, with or without batch norm. */
function buildVgg(shapes: Shapes, inputShape: PixelShape, { pools }: Reading): Architecture {
  const convolutions = vggConvolutions(shapes);
  const linear = indicesOfClassifier(shapes);
  const last = convolutions[convolutions.length - 1];
  const classes = classesOf(shapes, 'VGG', linear[linear.length - 1] ?? 'classifier.weight');
  const features = shapes.get(linear[0] ?? '')?.[1] ?? 0;
  const [height, width] = inputShape;
  const shrunk = (times: number) => Math.floor(height / 2 ** times) * Math.floor(width / 2 ** times) * last.filters;
  const flat = (count: number) => features > 0 && features === shrunk(count);
  if (pools !== undefined) checkPools(pools, convolutions);
  const inner = pools ?? innerPools(convolutions, (count) => flat(count) && features > last.filters);
  const all = pools ?? (flat(inner.length) ? inner : [...inner, convolutions.length]);
  const averaged = features === last.filters && shrunk(all.length) > 0;
  if (!averaged && !flat(all.length)) {
    const counts = [...new Set([inner.length, all.length])];
    throw new InputError(
      `The classifier of this VGG takes ${features} features; images of [${inputShape.join(', ')}] give it ${counts.map((count) => `${shrunk(count)} features after ${count} poolings`).join(' or ')}. Evaluate it on images of the size that it was trained on, or say after which convolutions it pools, as --pools 2,4,7,10,13.`,
    );
  }
  const layers = [
    ...convolutions.flatMap(({ filters, inputs, size, normalised }, i): Layer[] => [
      {
        kind: 'conv',
        name: `conv${i + 1}`,
        inputs,
        filters,
        size,
        stride: 1,
        padding: (size - 1) / 2,
        bias: !normalised,
      },
      ...(normalised ? [batchNorm(`bn${i + 1}`, filters)] : []),
      relu,
      ...(all.includes(i + 1) ? [halve] : []),
    ]),
    averaged ? globalAveragePool : flatten,
    ...linear.flatMap((name, i): Layer[] => {
      const [units, inputs] = shapes.get(name) ?? [];
      return [...(i === 0 ? [] : [relu]), dense(`dense${convolutions.length + 1 + i}`, inputs, units)];
    }),
  ];
  return {
    name: `vgg${convolutions.length + linear.length}`,
    width: outputsOf(shapes, 'features.0.weight') / 64,
    program: { inputShape, classes, layers },
    assumed: [
      'strides of 1 in its convolutions',
      ...(pools === undefined ? [`2×2 max pools after ${convolutionsIn(all)} (--pools ${all.join(',')})`] : []),
    ],
  };
}

/** Convolutions by their numbers, in words. */
const convolutionsIn = (numbers: readonly number[]): string =>
  numbers.length === 0
    ? 'no convolution'
    : `${numbers.length === 1 ? 'convolution' : 'convolutions'} ${numbers.join(', ')}`;

function vggConvolutions(shapes: Shapes): readonly VggConvolution[] {
  const slots = indicesBelow(shapes, 'features.');
  const isConv = (slot: number) => shapes.get(`features.${slot}.weight`)?.length === 4;
  const convolutions = slots.filter(isConv);
  return convolutions.map((slot, i) => {
    const [filters, inputs, size, columns] = shapes.get(`features.${slot}.weight`) ?? [];
    if (size !== columns || size % 2 === 0) {
      throw new InputError(
        `features.${slot} of this VGG is a convolution of ${size}×${columns}; Equipoise knows those of odd sizes, such as 3×3, padded by half their size. Export the network as ONNX, or wrap it with --module.`,
      );
    }
    const normalised = slots.includes(slot + 1) && !isConv(slot + 1);
    const next = convolutions[i + 1];
    const spare = next === undefined ? null : next - slot - (normalised ? 3 : 2);
    if (spare !== null && spare < 0) {
      throw new InputError(
        `Between features.${slot} and features.${next} of this VGG is no place for an activation. Wrap the model with --module.`,
      );
    }
    return { slot, filters, inputs, size, normalised, spare };
  });
}

/** How many convolutions each block of the published networks has (Simonyan and Zisserman 2015). */
const VGG_BLOCKS: readonly (readonly number[])[] = [
  [1, 1, 2, 2, 2],
  [2, 2, 2, 2, 2],
  [2, 2, 3, 3, 3],
  [2, 2, 4, 4, 4],
];

/**
 * The convolutions that a pool follows, of all but the last one: those before a module without weights. Such a module may
 * be dropout as well, so it is taken for a pool only where one usually is: in the places of a published network, where the
 * number of filters grows, or where the size of what reaches the classifier leaves nothing else.
 *
 * @param certain true if this number of pools gives exactly the features that the classifier takes
 * @throws InputError if it may as well be dropout
 */
function innerPools(convolutions: readonly VggConvolution[], certain: (count: number) => boolean): readonly number[] {
  const after = convolutions.flatMap(({ spare }, i) => (spare ? [i + 1] : []));
  const isPublished = VGG_BLOCKS.some((blocks) => {
    const ends = blocks.map((_, i) => blocks.slice(0, i + 1).reduce((sum, count) => sum + count, 0));
    return ends.pop() === convolutions.length && String(ends) === String(after);
  });
  const grows = (i: number) => convolutions[i].filters > convolutions[i - 1].filters;
  const isSingle = after.every((i) => convolutions[i - 1].spare === 1);
  if (isSingle && (isPublished || after.every(grows) || certain(after.length + 1))) return after;
  const doubtful = isSingle ? after.filter((i) => !grows(i)) : after.filter((i) => convolutions[i - 1].spare !== 1);
  throw new InputError(
    `The modules without weights after ${convolutionsIn(doubtful)} of this VGG may be poolings, dropout or others, and its weights do not say. Say after which convolutions it pools, such as --pools 2,4,7,10,13, and compare with --expect-logits.`,
  );
}

/** @throws InputError if there is no place for a pool that is given */
function checkPools(pools: readonly number[], convolutions: readonly VggConvolution[]): void {
  const wrong = pools.find((pool) => pool > convolutions.length || convolutions[pool - 1].spare === 0);
  if (wrong === undefined) return;
  throw new UsageError(
    wrong > convolutions.length
      ? `--pools names convolution ${wrong}; this VGG has ${convolutions.length}.`
      : `--pools names convolution ${wrong}, but no module lies between its activation and the next convolution.`,
  );
}

/** Weights of the fully connected layers, in order. */
const indicesOfClassifier = (shapes: Shapes): string[] =>
  shapes.has('classifier.weight')
    ? ['classifier.weight']
    : indicesBelow(shapes, 'classifier.').map((slot) => `classifier.${slot}.weight`);

/** The fully connected layers numbered as without the dropout that may lie between them. */
function numberClassifier(names: ReadonlyMap<string, string>, shapes: Shapes): Map<string, string> {
  const slots = indicesBelow(shapes, 'classifier.');
  const moduleOf = (slot: number): string =>
    slots.length === 1 ? 'classifier' : `classifier.${2 * slots.indexOf(slot)}`;
  return renamed(names, (name) => {
    const [, slot, leaf] = /^classifier\.(\d+)\.(.*)$/.exec(name) ?? [];
    return slot === undefined ? name : `${moduleOf(Number(slot))}.${leaf}`;
  });
}

/** The convolutions and batch norms numbered as without the dropout that may lie between them. */
function numberFeatures(names: ReadonlyMap<string, string>, shapes: Shapes, program: Program): Map<string, string> {
  const expected = pytorchTensors(program).flatMap(({ name, key }) =>
    /^conv\d+\.kernel$/.test(name) ? [Number(key.split('.')[1])] : [],
  );
  const numbers = new Map(
    vggConvolutions(shapes).flatMap(({ slot, normalised }, i) => [
      [slot, expected[i]],
      ...(normalised ? [[slot + 1, expected[i] + 1] as const] : []),
    ]),
  );
  return renamed(names, (name) => {
    const [, slot, leaf] = /^features\.(\d+)\.(.*)$/.exec(name) ?? [];
    if (slot === undefined) return name;
    const number = numbers.get(Number(slot));
    // What belongs to no convolution must not be taken for one of the same number.
    return number === undefined ? `${name} of the file` : `features.${number}.${leaf}`;
  });
}

const SMALL = ['cnn', 'lenet5', 'lenet300', 'mlp'] as const;

/** The small network whose tensors these are. */
function buildSmall(shapes: Shapes, inputShape: PixelShape): Architecture {
  const built = SMALL.flatMap((name): Architecture[] => {
    const options = { inputShape, classes: classesOfSmall(shapes), width: 1 };
    const full = pytorchTensors(buildModel(name, options))[0].layout.shape[0];
    const first = ['conv1.weight', 'fc1.weight'].find((weight) => shapes.has(weight)) ?? '';
    const width = outputsOf(shapes, first) / full;
    const program = buildModel(name, { ...options, width });
    return [{ name, width, program, assumed: assumedOfConvolutions(program) }];
  });
  const misfits = (program: Program) =>
    pytorchTensors(program).filter(({ key, layout }) => String(shapes.get(key)) !== String(layout.shape)).length;
  return built.toSorted((a, b) => misfits(a.program) - misfits(b.program))[0];
}

/** The strides and pools of a chain of convolutions, in words. */
function assumedOfConvolutions({ layers }: Program): string[] {
  const convolutions = layers.filter((layer) => layer.kind === 'conv');
  const pools = layers.flatMap(({ kind }, i) =>
    kind === 'maxPool' ? [layers.slice(0, i).filter((layer) => layer.kind === 'conv').length] : [],
  );
  if (convolutions.length === 0) return [];
  return [
    `strides of ${convolutions.map(({ stride }) => stride).join(', ')} in its convolutions`,
    `2×2 max pools after ${convolutionsIn(pools)}`,
  ];
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
