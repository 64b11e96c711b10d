import { readFile } from 'node:fs/promises';
import { decodeSafetensors } from '../../checkpoints/safetensors.ts';
import type { ModelRecord } from '../../checkpoints/types.ts';
import type { PixelShape } from '../../data/types.ts';
import { recogniseArchitecture } from './architectures.ts';

/** A network, and for each of its weights by PyTorch's names the name in the file. */
export interface InferredModel {
  readonly model: ModelRecord;
  readonly nameInFile: ReadonlyMap<string, string>;
}

/** Height and width of the images that most networks of this kind are for. */
const CIFAR = 32;

/**
 * Which network a state dict of PyTorch is of, by the names and shapes of its weights; undefined for a file that says so
 * itself, or that is none. The size of its images is the one thing that weights do not say.
 *
 * @param images [height, width, channels]; default 32×32, of as many channels as the first convolution takes
 * @throws InputError for weights of no network that is known
 */
export async function inferModel(path: string, images?: PixelShape): Promise<InferredModel | undefined> {
  const bytes = path.endsWith('.safetensors') ? await readFile(path).catch(() => null) : null;
  if (bytes === null) return undefined;
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  if (Object.keys(metadata).some((name) => name !== 'format') || (metadata.format ?? 'pt') !== 'pt') return undefined;
  const shapes = new Map(
    Object.entries(tensors).flatMap(([name, { shape }]) =>
      name.endsWith('num_batches_tracked') ? [] : [[name, shape] as const],
    ),
  );
  const first = shapes.get('conv1.weight') ?? shapes.get('features.0.weight');
  const inputShape = images ?? ([CIFAR, CIFAR, first?.[1] ?? 3] as const);
  const { name, width, program, nameInFile } = recogniseArchitecture(shapes, {}, inputShape);
  return { model: { name, width, inputShape, classes: program.classes }, nameInFile };
}
