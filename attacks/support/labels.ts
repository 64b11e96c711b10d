// Class numbers as callers give them. Every label and every target is read here, whatever it lies in; one that is no class
// number is refused, never rounded or truncated.
import type { Tensor1D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import type { Labels } from '../types.ts';
import { describe } from './describe.ts';

/** The largest number that an int32 tensor holds. */
const LARGEST = 2 ** 31 - 1;

/**
 * Reads class numbers: whole numbers from 0, in a tensor [count] of type int32 or float32, a typed array or an array; of
 * bigints too.
 *
 * @param name what messages call them: `labels` or `targets`
 * @param count how many there must be; left out, as many as there are
 *
 * Throws InputError for one-hot rows, names, booleans, fractions, NaN, negative numbers, and numbers beyond int32.
 */
export async function readClasses(name: string, given: Labels, count?: number): Promise<Int32Array> {
  const values = await valuesOf(name, given, count);
  if (count !== undefined && values.length !== count) throw wrongShape(name, count, `${values.length}`);
  return Int32Array.from({ length: values.length }, (_, i) => classNumber(name, values[i], i));
}

/** Checks a tensor of class numbers by its type and shape alone, where its values cannot be read. */
export function checkClassTensor(name: string, given: unknown, count: number): asserts given is Tensor1D {
  if (!(given instanceof tf.Tensor) || given.isDisposed || given.rank !== 1 || given.shape[0] !== count) {
    throw wrongShape(name, count, describe(given), given);
  }
  if (given.dtype !== 'int32') {
    throw new InputError(
      `${name}: expected an int32 tensor, got ${given.dtype}. Make one with tf.tensor1d(${name}, 'int32').`,
    );
  }
}

async function valuesOf(name: string, given: unknown, count?: number): Promise<ArrayLike<unknown>> {
  if (given instanceof tf.Tensor) {
    if (given.isDisposed || given.rank !== 1 || (count !== undefined && given.shape[0] !== count)) {
      throw wrongShape(name, count, describe(given), given);
    }
    if (given.dtype !== 'int32' && given.dtype !== 'float32') {
      throw new InputError(
        `${name}: expected a tensor of class numbers, int32, got one of type ${given.dtype}. ${adviceFor(name, given.dtype === 'string' ? '' : true)}`,
      );
    }
    return given.data();
  }
  if (Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView))) {
    return given as ArrayLike<unknown>;
  }
  throw wrongShape(name, count, describe(given), given);
}

function classNumber(name: string, value: unknown, place: number): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= LARGEST) return number;
  throw new InputError(
    `${name}: expected class numbers from 0; number ${place} is ${describe(value)}. ${adviceFor(name, value)}`,
  );
}

/** What to do about a value that is no class number. */
function adviceFor(name: string, value: unknown): string {
  if (typeof value === 'string') return 'Replace each name by its place among the classes: classes.indexOf(name).';
  if (typeof value === 'boolean') return 'Write 0 or 1 for a class.';
  if (typeof value === 'object' && value !== null) return oneHotAdvice(name);
  return "Give each image's class as its place among the model's logits.";
}

const oneHotAdvice = (name: string): string =>
  `One-hot rows become class numbers by tf.argMax(${name}, -1), the argMax(-1) of a tensor of them.`;

function wrongShape(name: string, count: number | undefined, got: string, given?: unknown): InputError {
  const expected = `${name}: expected class numbers [${count ?? 'images'}], one an image, got ${got}`;
  if (!(given instanceof tf.Tensor) || given.isDisposed || given.rank !== 2) {
    return new InputError(`${expected}. Give an int32 tensor or an array of numbers.`);
  }
  const [rows, columns] = given.shape;
  return new InputError(
    columns === 1
      ? `${expected}. Make it one-dimensional: tf.reshape(${name}, [${rows}]).`
      : `${expected}, which looks one-hot. ${oneHotAdvice(name)}`,
  );
}
