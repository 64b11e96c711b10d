// The one reader of PyTorch's state dicts, for evaluation and import alike: it finds the network that the weights belong to
// and brings every tensor into our layout.
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import type { PixelShape } from '../../data/types.ts';
import { fromPytorch, type PytorchTensor, pytorchTensors } from '../../models/pytorch.ts';
import type { Layer, Program } from '../../ops/network.ts';
import { floatsOf } from '../safetensors/floats.ts';
import type { StoredTensor } from '../safetensors/safetensors.ts';
import { type Architecture, type Renames, recogniseArchitecture } from './architectures.ts';
import { checkReading, type Reading } from './reading.ts';

export interface StateDictOptions {
  /** [height, width, channels]; default 32×32, of as many channels as the first convolution takes. */
  readonly images?: PixelShape;
  /** Other names of the weights. */
  readonly renames?: Renames;
  /** Facts about the network that its weights do not show. */
  readonly reading?: Reading;
}

/** A network with its weights, dense and in our layout, by our names. */
export interface ReadNetwork extends Architecture {
  readonly values: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
  /** Notes for the user about how the file was read. */
  readonly notes: readonly string[];
}

type Stored = Readonly<Record<string, StoredTensor>>;

/**
 * The network that a state dict belongs to.
 *
 * @param source what messages call the file
 * @throws InputError if it is no network that is known, or weights are missing, too many, of another shape or type, or not finite
 */
export function readStateDict(
  tensors: Stored,
  source: string,
  { images, renames = {}, reading = {} }: StateDictOptions,
): ReadNetwork {
  checkReading(reading);
  const { weights, notes } = weightsAmong(tensors, source);
  const shapes = new Map(Object.entries(weights).map(([name, { shape }]) => [name, shape]));
  const { nameInFile, ...architecture } = recogniseArchitecture(shapes, renames, images, reading);
  const named = new Map([...nameInFile].map(([name, inFile]) => [name, weights[inFile]]));
  return {
    ...architecture,
    values: valuesOf(architecture, named, source),
    notes: [
      `${source} was read as a ${architecture.name} of PyTorch.`,
      ...(architecture.assumed.length === 0
        ? []
        : [
            `Its weights do not say everything, so this was assumed: ${architecture.assumed.join('; ')}. Compare with logits of PyTorch by --expect-logits, and give --stem, --pools or --activation if it is otherwise, or export the network as ONNX.`,
          ]),
      ...notes,
    ],
  };
}

/** Last parts of the names of buffers that normalise images inside a model. */
const NORMALISATION = /(^|\.)(mean|std|mu|sigma|image_mean|image_std)$/;

/**
 * The weights among the entries, without counters and what training code keeps beside them.
 *
 * @throws InputError for a mask that changes the weights
 */
function weightsAmong(
  tensors: Stored,
  source: string,
): { readonly weights: Stored; readonly notes: readonly string[] } {
  const entries = Object.entries(tensors);
  const normalising = entries.filter(([name, { shape }]) => NORMALISATION.test(name) && sizeOf(shape) <= 4);
  const weights = entries.filter(
    ([name, { dtype }]) =>
      !name.endsWith('num_batches_tracked') &&
      // A copy of the first block in TRADES' wide residual network, which nothing uses.
      !/(^|\.)sub_block1\./.test(name) &&
      !normalising.some(([other]) => other === name) &&
      dtype !== 'BOOL',
  );
  const mask = entries.find(([name, { dtype }]) => dtype === 'BOOL' && !changesNothing(name, tensors));
  if (mask !== undefined) {
    throw new InputError(
      `${source} has ${mask[0]} [${mask[1].shape.join(', ')}] of type BOOL, which looks like a mask of weights: expected weights that are multiplied by their masks. Save these, and leave the masks out.`,
    );
  }
  const notes = normalising.map(
    ([name, tensor]) =>
      `It holds ${name} = ${Array.from(floatsOf(tensor), (value) => Number(value.toFixed(4))).join(',')}, with which it may normalise images; give --mean and --std if so.`,
  );
  return { weights: Object.fromEntries(weights), notes };
}

/**
 * True for booleans that leave the weights as they are: a single one, and a mask where all weights are zero that it is to
 * remove, such as `conv1.mask` beside `conv1.weight`.
 */
function changesNothing(name: string, tensors: Stored): boolean {
  const { shape, data: kept } = tensors[name];
  if (sizeOf(shape) <= 1) return true;
  const moduleOf = (entry: string): string => entry.slice(0, entry.lastIndexOf('.') + 1);
  const masked = Object.entries(tensors).find(
    ([other, tensor]) =>
      tensor.dtype !== 'BOOL' && moduleOf(other) === moduleOf(name) && String(tensor.shape) === String(shape),
  );
  const values = masked && floatsOf(masked[1]);
  return kept.every((keeps: number | bigint, i: number) => Boolean(keeps) || values?.[i] === 0);
}

/**
 * Every tensor of a network in our layout. The bias of a convolution before batch norm goes into its running mean.
 *
 * @param weights by the names of PyTorch's code
 * @throws InputError if one is missing, too much, of another shape, or holds a value that is not finite
 */
export function valuesOf(
  { name: model, program }: Pick<Architecture, 'name' | 'program'>,
  weights: ReadonlyMap<string, StoredTensor>,
  source: string,
): Readonly<Record<string, Float32Array<ArrayBuffer>>> {
  const declared = pytorchTensors(program);
  const values = Object.fromEntries(
    declared.map((tensor) => [tensor.name, readTensor(tensor, weights.get(tensor.key), model, source)]),
  );
  const used = new Set(declared.map(({ key }) => key));
  for (const [conv, norm] of normalised(program.layers)) {
    const kernel = declared.find(({ name }) => name === `${conv}.kernel`);
    const key = kernel?.key.replace(/weight$/, 'bias') ?? '';
    const bias = weights.get(key);
    if (bias === undefined) continue;
    used.add(key);
    const shift = soundValues(bias, key, source);
    const mean = values[`${norm}.moving_mean`];
    if (shift.length !== mean.length) throw otherShape(source, model, key, [mean.length], bias.shape);
    values[`${norm}.moving_mean`] = mean.map((value, i) => value - shift[i]);
  }
  const left = [...weights.keys()].filter((name) => !used.has(name));
  if (left.length > 0) {
    throw new InputError(
      `${source} looks like a ${model} but also has ${left.slice(0, 5).join(', ')}${left.length > 5 ? ', …' : ''}, which a ${model} has not. Wrap the model with --module.`,
    );
  }
  return values;
}

function readTensor(
  { key, layout }: PytorchTensor,
  stored: StoredTensor | undefined,
  model: string,
  source: string,
): Float32Array<ArrayBuffer> {
  if (stored === undefined) {
    throw new InputError(
      `${source} looks like a ${model} but has no ${key} [${layout.shape.join(', ')}]. If it is there under another name, say so with --names; else wrap the model with --module.`,
    );
  }
  if (String(stored.shape) !== String(layout.shape)) throw otherShape(source, model, key, layout.shape, stored.shape);
  return fromPytorch(soundValues(stored, key, source), layout);
}

const otherShape = (
  source: string,
  model: string,
  key: string,
  expected: readonly number[],
  got: readonly number[],
): InputError =>
  new InputError(
    `${source} looks like a ${model}, whose ${key} is [${expected.join(', ')}]; it has [${got.join(', ')}]. Wrap the model with --module.`,
  );

/** Types of floating-point numbers. Integers are the weights of a quantised network, whose scales are elsewhere. */
const FLOATS: readonly StoredTensor['dtype'][] = ['F64', 'F32', 'F16', 'BF16'];

/** The values of a weight, or of a statistic of batch norm. */
function soundValues(stored: StoredTensor, key: string, source: string): Float32Array {
  if (!FLOATS.includes(stored.dtype)) {
    throw new InputError(
      `${source} has ${key} of type ${stored.dtype}; expected floating-point numbers (${FLOATS.join(', ')}). Save a network that is not quantised, or wrap the model with --module.`,
    );
  }
  const values = floatsOf(stored);
  const negative = key.endsWith('running_var') ? values.findIndex((value) => value < 0) : -1;
  if (negative >= 0) {
    throw new InputError(
      `${source} has a variance of ${values[negative]} in ${key} (value ${negative}); expected at least 0. Save the weights again.`,
    );
  }
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new InputError(
    `${source} has ${values[at]} in ${key} (value ${at}); expected finite weights. Save the weights of a training that did not diverge.`,
  );
}

/** Convolutions without bias, each with the batch norm that follows it. */
function* normalised(layers: readonly Layer[]): Generator<readonly [conv: string, norm: string]> {
  for (const [i, layer] of layers.entries()) {
    const next = layers[i + 1];
    if (layer.kind === 'residual') {
      yield* normalised(layer.body);
      yield* normalised(layer.shortcut);
    } else if (layer.kind === 'conv' && !layer.bias && next?.kind === 'batchNorm') yield [layer.name, next.name];
  }
}

/** True if two networks compute the same of the same weights. */
export const isSameProgram = (a: Program, b: Program): boolean => JSON.stringify(a) === JSON.stringify(b);
