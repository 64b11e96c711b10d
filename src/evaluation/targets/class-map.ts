// Which output of a model belongs to which class of a data set, where a user says so: a folder may hold three of a model's
// five classes, or an ImageNet subset for a model of 1,000 outputs.
import { z } from 'zod';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { messageOf, UsageError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { systemReason } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';

/** The numbers of outputs, counted from 0: in the order of the classes, or by the name or number of each class. */
export type ClassMap = readonly number[] | Readonly<Record<string, number>>;

const output = z.int().min(0);
const classMap = z.union([z.array(output), z.record(z.string(), output)]);

const EXPECTED =
  'a list of outputs in the order of the classes, or a record from each class to its output, counted from 0';

/**
 * The map in a JSON file, or in a list such as `0,2,3`.
 *
 * @throws UsageError if there is no such file, or it is no map
 */
export async function readClassMap(given: string): Promise<ClassMap> {
  if (/^\s*\d+(\s*,\s*\d+)*\s*$/.test(given)) return given.split(',').map(Number);
  let content: unknown;
  try {
    content = jsonValue(await readText(given));
  } catch (error) {
    const why = systemReason(error) ?? messageOf(error);
    throw new UsageError(`--classes names a JSON file, or is a list such as 0,2,3; ${given} cannot be read (${why}).`, {
      cause: error,
    });
  }
  const map = classMap.safeParse(content);
  if (map.success) return map.data;
  throw new UsageError(`${given} must hold ${EXPECTED}, got ${JSON.stringify(content).slice(0, 100)}.`);
}

/**
 * The output of each class, in the order of the classes.
 *
 * @param classes of a data set
 * @throws UsageError if a class has no output, or another's, or the map names a class that does not exist
 */
export function outputsOf(map: ClassMap, classes: readonly string[]): readonly number[] {
  const outputs = Array.isArray(map) ? map : namedOutputs(map as Readonly<Record<string, number>>, classes);
  if (outputs.length !== classes.length) {
    throw new UsageError(
      `--classes lists ${outputs.length} outputs; expected one for each of ${classes.length} classes.`,
    );
  }
  const twice = outputs.findIndex((one, label) => outputs.indexOf(one) < label);
  if (twice >= 0) {
    const first = outputs.indexOf(outputs[twice]);
    throw new UsageError(
      `--classes gives the classes ${classes[first]} and ${classes[twice]} the same output ${outputs[twice]}; each needs its own.`,
    );
  }
  return outputs;
}

function namedOutputs(map: Readonly<Record<string, number>>, classes: readonly string[]): readonly number[] {
  const labelOf = (key: string): number =>
    classes.includes(key) || !/^\d+$/.test(key) ? classes.indexOf(key) : Number(key);
  const outputs = new Map<number, number>();
  for (const [key, value] of Object.entries(map)) {
    const label = labelOf(key);
    if (label < 0 || label >= classes.length) {
      throw new UsageError(
        `--classes names ${key}, which is no class of the data set.${suggestion(didYouMean(key, classes))} Its classes are ${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', …' : ''}.`,
      );
    }
    if (outputs.has(label)) throw new UsageError(`--classes names ${classes[label]} twice, by name and by number.`);
    outputs.set(label, value);
  }
  return classes.map((name, label) => {
    const found = outputs.get(label);
    if (found === undefined) throw new UsageError(`--classes gives the class ${name} no output; each class needs one.`);
    return found;
  });
}
