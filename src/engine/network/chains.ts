import { type Graph, inputsOf, type Node, type Value } from './graph.ts';
import type { PlanOptions } from './plan.ts';

/** Whether a node that comes right after a batch norm, the only one to read its result, needs it for no longer than a chain. */
function isPassing(next: Node, added: boolean, { keep, light }: PlanOptions): boolean {
  switch (next.kind) {
    case 'maxPool':
    case 'averagePool':
    case 'repack':
      return true;
    case 'conv':
      // Its kernel's gradient reads it again: computed from what batch norm keeps, which is not enough where something was added.
      return next.add === null && (keep !== 'parameters' || (light.has(next.name) && !added));
    default:
      return false;
  }
}

/**
 * Results of batch norm that are never written to memory for the whole batch, where layers run one after another: the next
 * node reads them in the chain that made them.
 */
export function passingValues({ nodes, consumers }: Graph, options: PlanOptions): ReadonlyMap<Value, Node> {
  const passing = new Map<Value, Node>();
  if (options.norm === 'folded') return passing;
  nodes.forEach((node, i) => {
    const next = nodes[i + 1];
    if (node.kind !== 'batchNorm' || consumers[node.y.id] !== 1 || !inputsOf(next).includes(node.y)) return;
    if (isPassing(next, node.add !== null, options)) passing.set(node.y, next);
  });
  return passing;
}
