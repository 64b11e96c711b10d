// Computes the nodes of a graph, one after another.
import { InputError } from '../../../core/errors.ts';
import type { Call } from './call.ts';
import { describe } from './graph.ts';
import type { NodeRecord } from './model.ts';
import { OPERATORS } from './operators/index.ts';
import type { Value } from './values.ts';

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
  const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
  try {
    const outputs = operator?.({ ...context, node, inputs }) ?? [];
    return Array.isArray(outputs) ? (outputs as readonly Value[]) : [outputs as Value];
  } catch (error) {
    throw new InputError(`The node ${describe(node)} cannot be computed: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

/** The values of a graph behind some that are known; every tensor that is made belongs to the caller's tidy. */
export function runNodes(
  nodes: readonly NodeRecord[],
  known: ReadonlyMap<string, Value>,
  context: Pick<Call, 'opset' | 'once'>,
): ReadonlyMap<string, Value> {
  const values = new Map(known);
  for (const node of nodes) {
    const outputs = runNode(node, values, { ...context, isConstant: false });
    node.outputs.forEach((name, i) => {
      if (name !== '' && outputs[i] !== undefined) values.set(name, outputs[i]);
    });
  }
  return values;
}
