// What an operator gets: a node with its inputs, and ways to read its attributes, which moved between attributes and inputs as
// ONNX grew.
import type { Tensor } from '@tensorflow/tfjs-core';
import { InputError } from '../../../core/errors.ts';
import type { Attribute, NodeRecord } from './model.ts';
import type { Value } from './values.ts';

export interface Call {
  readonly node: NodeRecord;
  readonly opset: number;
  /** True if nothing depends on the images, as in arithmetic on weights. */
  readonly isConstant: boolean;
  /** Undefined for an optional input that is left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** What `make` gives for a tensor of weights, made once for the model; for other tensors it is made at every call. */
  readonly once: (weights: Value, purpose: string, make: () => Tensor) => Tensor;
}

/** Outputs of a node; one alone stands for a list of it. */
export type Operator = (call: Call) => Value | readonly Value[];

/** @throws InputError if the input is left out */
export function input({ inputs }: Call, i: number): Value {
  const value = inputs[i];
  if (value === undefined) throw new InputError(`expected input ${i}, which is missing`);
  return value;
}

/** All inputs that are given. */
export const givenInputs = ({ inputs }: Call): readonly Value[] => inputs.filter((value) => value !== undefined);

/**
 * The numbers of a value that says what to compute, such as a shape.
 *
 * @throws InputError if they depend on the pixels
 */
export function numbersOf({ numbers }: Value): readonly number[] {
  if (numbers !== null) return Array.from(numbers);
  throw new InputError('expected numbers that are known before the pixels are, got some that depend on them');
}

/** The numbers of an optional input; undefined if it is left out. */
export const numbersAt = ({ inputs }: Call, i: number): readonly number[] | undefined =>
  inputs[i] === undefined ? undefined : numbersOf(inputs[i]);

function attribute<T extends Attribute>(
  { node }: Call,
  name: string,
  isSound: (value: Attribute) => value is T,
  what: string,
): T | undefined {
  const value = node.attributes.get(name);
  if (value === undefined || isSound(value)) return value;
  throw new InputError(`expected ${what} as attribute ${name}, got ${JSON.stringify(value)}`);
}

const isNumber = (value: Attribute): value is number => typeof value === 'number';
const isText = (value: Attribute): value is string => typeof value === 'string';
const isNumbers = (value: Attribute): value is readonly number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number');

export const optionalNumber = (call: Call, name: string): number | undefined =>
  attribute(call, name, isNumber, 'a number');

export const numberOf = (call: Call, name: string, fallback: number): number => optionalNumber(call, name) ?? fallback;

export const flagOf = (call: Call, name: string, fallback = false): boolean =>
  numberOf(call, name, fallback ? 1 : 0) !== 0;

export const textOf = (call: Call, name: string, fallback: string): string =>
  attribute(call, name, isText, 'a text') ?? fallback;

export const listOf = (call: Call, name: string): readonly number[] | undefined =>
  attribute(call, name, isNumbers, 'a list of numbers');

/** A list that older operators have as an attribute and newer ones as an input. */
export const listOrInput = (call: Call, name: string, i: number): readonly number[] | undefined =>
  listOf(call, name) ?? numbersAt(call, i);

/** @throws InputError unless an attribute has one of the values that are supported */
export function expectAttribute(name: string, value: number | string, supported: readonly (number | string)[]): void {
  if (supported.includes(value)) return;
  throw new InputError(`expected ${name} ${supported.join(' or ')}, got ${value}, which Equipoise does not compute`);
}
