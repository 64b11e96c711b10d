// Reading of a JSON file of results, which may be missing.
import type { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { parseJson } from '../../core/parse-json.ts';
import { inWords, isMissing } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';

/** What a file of results holds. */
export interface RecordFile<Content> {
  /** The content in a word or two, for messages. */
  readonly what: string;
  /** The command that makes it anew, for messages. */
  readonly command: string;
  readonly schema: z.ZodType<Content>;
}

/**
 * The content of a file of results, or null if there is no such file.
 *
 * @throws InputError that names the file and, if the content is damaged, the field that is wrong
 */
export async function readRecordFile<Content>(
  path: string,
  { what, command, schema }: RecordFile<Content>,
): Promise<Content | null> {
  const source = `${path} cannot be read as ${what}`;
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw inWords(path, 'read', error);
  }
  try {
    return parseJson(text, source, schema);
  } catch (error) {
    throw new InputError(`${(error as Error).message} Remove it and ${command} again.`, { cause: error });
  }
}
