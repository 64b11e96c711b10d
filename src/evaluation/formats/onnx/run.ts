// Computes the nodes of a graph, one after another.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../core/errors.ts';
import type { Call } from './call.ts';
import { describe } from './graph.ts';
import type { NodeRecord } from './model.ts';
import { OPERATORS } from './operators/index.ts';
import type { Value } from './values.ts';

/** @throws InputError if the value is an output that its operator does not give, such as the places of a maximum */
function known(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) {
    throw new InputError(
      `expected a value that Equipoise computes, got ${name}. It does not compute the places of the largest values, for one`,
    );
  }
  return value;
}

/**
 * The outputs of a node.
 *
 * @throws InputError that names the node, whatever is wrong with it
 */
export function runNode(
  node: NodeRecord,
  values: ReadonlyMap<string, Value>,
  context: Pick<Call, 'opset' | 'isConstant' | 'once'>,
): readonly Value[] {
  const operator = OPERATORS.get(node.op);
  try {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : known(values, name)));
    const outputs = operator?.({ ...context, node, inputs }) ?? [];
    return Array.isArray(outputs) ? (outputs as readonly Value[]) : [outputs as Value];
  } catch (error) {
    throw new InputError(`The node ${describe(node)} cannot be computed: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

/**
 * An output of a graph, computed from values that are known. What a node computes on the way is freed behind it, and its
 * outputs behind the last node that takes them. The output belongs to the caller's tidy.
 */
export function runNodes(
  nodes: readonly NodeRecord[],
  known: ReadonlyMap<string, Value>,
  output: string,
  context: Pick<Call, 'opset' | 'once'>,
): Value {
  const values = new Map(known);
  const lastUse = lastUses(nodes, output);
  /** How many values hold each tensor that nodes made: some nodes pass on what they get. */
  const holders = new Map<Tensor, number>();
  for (const [place, node] of nodes.entries()) {
    const made: [string, Value][] = [];
    tf.tidy(() => {
      const outputs = runNode(node, values, { ...context, isConstant: false });
      for (const [i, name] of node.outputs.entries()) {
        if (outputs[i] !== undefined && lastUse.has(name)) made.push([name, outputs[i]]);
      }
      return made.flatMap(([, { tensor }]) => tensor ?? []);
    });
    const passedOn = new Set(node.inputs.flatMap((name) => values.get(name)?.tensor ?? []));
    for (const [name, value] of made) {
      values.set(name, value);
      const { tensor } = value;
      if (tensor === null || (passedOn.has(tensor) && !holders.has(tensor))) continue;
      holders.set(tensor, (holders.get(tensor) ?? 0) + 1);
    }
    for (const name of new Set(node.inputs)) {
      const { tensor = null } = values.get(name) ?? {};
      if (lastUse.get(name) !== place || tensor === null) continue;
      const left = (holders.get(tensor) ?? 0) - 1;
      if (left === 0) tensor.dispose();
      if (left >= 0) holders.set(tensor, left);
      values.delete(name);
    }
  }
  return values.get(output) as Value;
}

/** The place of the last node that takes each value. The output of the graph is taken after all nodes. */
function lastUses(nodes: readonly NodeRecord[], output: string): ReadonlyMap<string, number> {
  const uses = nodes.flatMap(({ inputs }, place) => inputs.map((name): [string, number] => [name, place]));
  return new Map([...uses, [output, nodes.length]]);
}
