// A JSON file with a list of results of checkpoints, such as transfer.json: how it is read, and how results are added to it.
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../../checkpoints/files/atomic-file.ts';
import type { Guard } from '../../files/lock.ts';
import type { EvaluatedTarget } from '../types.ts';
import { readRecordFile } from './record-file.ts';

/** What all results of such files have. */
interface OfCheckpoint {
  readonly target: Pick<EvaluatedTarget, 'checkpoint' | 'sha256'>;
}

/** One kind of results, and the file that holds them. */
export interface ResultKind<Result extends OfCheckpoint> {
  /** The file's name in a run's folder, such as `transfer.json`. */
  readonly file: string;
  /** The field that has the list. */
  readonly list: string;
  /** The version of the file's format. */
  readonly version: number;
  /** The content in a word or two, for messages. */
  readonly what: string;
  /** The command that makes such results, for messages. */
  readonly command: string;
  /** Checks one result. */
  readonly schema: z.ZodType;
  /** Equal for two results of which the newer one replaces the older one. */
  readonly identity: (result: Result) => string;
}

/** The file of one kind of results. */
export function recordList<Result extends OfCheckpoint>(kind: ResultKind<Result>) {
  const { file, list, version, what, command, identity } = kind;
  const schema: z.ZodType<Readonly<Record<string, readonly Result[]>>> = z.object({
    version: z.literal(version),
    [list]: z.array(kind.schema),
  }) as unknown as z.ZodType<Readonly<Record<string, readonly Result[]>>>;

  /** The results in a file, none if there is no file. Throws InputError that names the field that is wrong. */
  const read = async (path: string): Promise<readonly Result[]> =>
    (await readRecordFile(path, { what, command, schema }))?.[list] ?? [];

  return {
    /** The path of the file beside a run's evaluations. */
    beside: (evaluations: string): string => join(dirname(evaluations), file),
    read,
    /**
     * Writes a result into a file. It replaces the result of the same identity, and results of other weights of the same
     * checkpoint. The caller holds the lock of the file, if others may write it.
     */
    async add(path: string, added: Result, guard?: Guard): Promise<void> {
      const others = (await read(path)).filter(
        (other) =>
          identity(other) !== identity(added) &&
          (other.target.checkpoint !== added.target.checkpoint || other.target.sha256 === added.target.sha256),
      );
      await writeAtomically(path, `${JSON.stringify({ version, [list]: [...others, added] }, null, 2)}\n`, { guard });
    },
  };
}
