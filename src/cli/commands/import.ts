// The command that makes a checkpoint of weights from elsewhere.
import { basename, dirname, extname, join } from 'node:path';
import { startBackend } from '../../backends/start.ts';
import { type ImportOptions, importModel } from '../../checkpoints/exchange/import.ts';
import { UsageError } from '../../core/errors.ts';
import { shellCommand } from '../../core/shell.ts';
import type { PixelShape } from '../../data/types.ts';
import { readNames } from '../../evaluation/formats/pytorch-weights.ts';
import { models } from '../../models/models.ts';
import { defineCommand } from '../command.ts';
import { type Flags, type FlagValues, SIZE_FLAG } from '../flags/flags.ts';
import { MODEL_FLAGS, readingOf } from '../flags/model-flags.ts';
import { byteSize } from '../terminal/format.ts';

const NETWORK_FLAGS = {
  model: {
    kind: 'text',
    suggestions: Object.keys(models),
    description: 'the network of a state dict; default: recognised by the names and shapes of its weights',
  },
  width: { kind: 'number', description: 'with --model: multiplies its channels; default: 1' },
  images: { kind: 'numbers', integer: true, description: 'height, width and channels of its images; default: 32,32,3' },
  classes: { kind: 'number', integer: true, description: 'with --model: its number of classes; default: 10' },
  mean: {
    kind: 'numbers',
    description: 'what the network subtracts from pixels in [0, 1], one number for each channel',
  },
  std: { kind: 'numbers', description: 'what the network divides pixels by after that' },
  names: MODEL_FLAGS.names,
  stem: MODEL_FLAGS.stem,
  pools: MODEL_FLAGS.pools,
  activation: MODEL_FLAGS.activation,
  'expect-logits': MODEL_FLAGS['expect-logits'],
} as const satisfies Flags;

export const importCommand = defineCommand({
  positionals: [
    {
      name: 'file',
      description: 'a .safetensors file, or the folder of an exported LayersModel',
      required: true,
      value: 'PATH',
    },
  ],
  flags: {
    out: { kind: 'text', value: 'FILE', description: 'the checkpoint to write; default: beside the file' },
    ...NETWORK_FLAGS,
    ...SIZE_FLAG,
  },
  endsAtOnce: true,
  examples: [
    ['equipoise import best-pytorch.safetensors', 'a checkpoint again, bit by bit'],
    ['equipoise import weights.safetensors --out resnet18.safetensors', 'weights of PyTorch'],
  ],
  async run({ positionals: [file], flags, json }, terminal) {
    const out = flags.out ?? join(dirname(file), `${basename(file, extname(file))}-checkpoint.safetensors`);
    const { model: expected, ...described } = networkOf(flags);
    // Nothing is computed but the expected logits, so no other backend is worth its start.
    await startBackend('cpu');
    const imported = await importModel(file, {
      out,
      ...described,
      ...(expected && { model: expected }),
      ...(flags.names !== undefined && { renames: await readNames(flags.names) }),
      reading: readingOf(flags),
      expectLogits: flags['expect-logits'],
    });
    for (const note of imported.notes) terminal.warn(note);
    if (json) {
      terminal.print(JSON.stringify({ file: out, ...imported }, null, 2));
      return;
    }
    const { model, sparsity, bytes } = imported;
    const sparse = sparsity === 0 ? 'dense' : `${Number((100 * sparsity).toFixed(2))} % sparse`;
    const { name, width, inputShape, classes } = model;
    const network = `${name}, width ${Number(width.toPrecision(4))}, images ${inputShape.join('×')}, ${classes} classes`;
    terminal.print(
      `${out}\n${byteSize(bytes)}; ${network}, ${sparse}\nnext: ${shellCommand('equipoise', 'evaluate', out)}`,
    );
  },
});

/**
 * The network that the flags describe, as far as they do.
 *
 * @throws UsageError for flags that describe no network
 */
function networkOf(flags: FlagValues<typeof NETWORK_FLAGS>): Pick<ImportOptions, 'model' | 'images' | 'normalize'> {
  const { model: name, width, classes, mean, std } = flags;
  const images = imagesOf(flags);
  if (name === undefined) {
    const left = Object.entries({ width, classes }).find(([, value]) => value !== undefined);
    if (left) throw new UsageError(`--${left[0]} describes a network; give its name too, as --model resnet18.`);
  }
  if ((mean === undefined) !== (std === undefined)) {
    throw new UsageError(`--mean and --std must be given together, got only --${mean ? 'mean' : 'std'}.`);
  }
  const shape = { width: width ?? 1, inputShape: images ?? [32, 32, 3], classes: classes ?? 10 } as const;
  return {
    ...(name === undefined ? {} : { model: { name, ...shape } }),
    ...(images && { images }),
    ...(mean && std && { normalize: { mean, std } }),
  };
}

/** @throws UsageError for what is no shape of images */
function imagesOf({ images }: Pick<FlagValues<typeof NETWORK_FLAGS>, 'images'>): PixelShape | undefined {
  if (images === undefined) return undefined;
  const [rows, columns, channels] = images;
  if (images.length !== 3 || !images.every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw new UsageError(`--images takes height, width and channels, such as 32,32,3, got ${images}.`);
  }
  return [rows, columns, channels];
}
