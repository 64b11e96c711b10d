// The zoo's folder: a card for each network as JSON, and beside it the network's file, unless it does not come with Equipoise.

import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { parseJson } from '../../core/parse-json.ts';
import { reading } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';
import { accuracySchema, normSchema } from '../results/accuracy-schema.ts';

const text = z.string().min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** Accuracy under an attack, named as `evaluate --attacks` has it. */
const attacked = z.strictObject({ attack: text, robust: accuracySchema });

/** What is known of a network that comes with Equipoise. */
const madeSchema = z.strictObject({
  /** Why the network, or a figure of it, is not final, as a sentence; null if both are. */
  preliminary: text.nullable(),
  bytes: z.int().positive(),
  sha256,
  data: z.strictObject({ sha256, note: text }),
  seed: z.int().min(0),
  machine: text,
  /** Seconds of training; null if the machine did other work at the same time. */
  seconds: z.number().positive().nullable(),
  norm: normSchema,
  epsilon: z.number().positive(),
  clean: accuracySchema,
  pgd: attacked,
  autoattack: attacked,
});

const cardSchema = z.strictObject({
  /** The network in a few words, such as `VGG16, RigL 99 % (uniform)`. */
  network: text,
  dataset: text,
  /** The command that trains it. */
  command: text,
  /** How the network was made and measured; null if it does not come with Equipoise. */
  made: madeSchema.nullable(),
});

/** A network of the zoo. */
export interface ZooCard extends z.infer<typeof cardSchema> {
  readonly name: string;
}

const SHIPPED = fileURLToPath(new URL('../../../../zoo', import.meta.url));
const CARD = '.json';

/** The zoo's folder: that of EQUIPOISE_ZOO, else the one of the package. */
export const zooFolder = (environment: Readonly<Record<string, string | undefined>> = process.env): string =>
  resolve(environment.EQUIPOISE_ZOO || SHIPPED);

/** The file of a network of the zoo. */
export const zooFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`);

/**
 * The cards of a zoo's folder, by name.
 *
 * @throws InputError if the folder holds no card, or it or a card cannot be read
 */
export async function zooCards(folder: string = zooFolder()): Promise<ZooCard[]> {
  const files = (await reading(folder, () => readdir(folder))).filter((file) => file.endsWith(CARD)).sort();
  if (files.length === 0) {
    throw new InputError(
      `Expected cards of networks (NAME${CARD}) in ${folder}, got none. EQUIPOISE_ZOO names that folder, if it is set.`,
    );
  }
  return Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      const card = parseJson(await reading(path, () => readText(path)), path, cardSchema);
      return { name: file.slice(0, -CARD.length), ...card };
    }),
  );
}
