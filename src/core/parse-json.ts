// Reading of JSON that may be damaged or of another kind: every field is checked before it is used.

import type { z } from 'zod';
import { InputError } from './errors.ts';

/**
 * The content of a JSON file, checked against a schema.
 *
 * @param source what messages call the file, such as its path
 * @throws InputError that names the file and the first field that is wrong
 */
export function parseJson<T>(text: string, source: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(
      `${source}: expected JSON, got ${JSON.stringify(text.slice(0, 20))}…: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new InputError(`${source}: ${fieldName(path)}: ${message.replace(/^Invalid input: /, '')}.`);
}

/** The place of a field in a file, such as `evaluations[0].clean.n`. */
const fieldName = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? 'the whole file'
    : path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
