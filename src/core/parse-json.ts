// Reading of JSON that may be damaged or of another kind: every field is checked before it is used.

import type { z } from 'zod';
import { InputError } from './errors.ts';

/** Deeper values overflow the stack of whatever walks through them; no file of ours or of a model is near it. */
const DEEPEST = 500;

/**
 * The value that a JSON text from outside holds, as `JSON.parse` gives it.
 *
 * @throws SyntaxError if the text is no JSON, or its arrays and objects are nested too deeply
 */
export function jsonValue(text: string): unknown {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted) {
      if (character === '\\') i++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ']' || character === '}') depth--;
    else if (character === '[' || character === '{') {
      depth++;
      if (depth > DEEPEST) throw new SyntaxError(`it is nested more than ${DEEPEST} levels deep`);
    }
  }
  return JSON.parse(text);
}

/**
 * The content of a JSON file, checked against a schema.
 *
 * @param source what messages call the file, such as its path
 * @throws InputError that names the file and the first field that is wrong
 */
export function parseJson<T>(text: string, source: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = jsonValue(text);
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
