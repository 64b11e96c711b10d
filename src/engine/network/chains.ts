// Decides which kernels follow each other on one block of images, and which values stay local to a thread.
import type { Layout } from '../layout/layout.ts';
import { type Graph, inputsOf, type Node, type NodeOf, type Value } from './graph.ts';
import type { PlanOptions } from './plan.ts';

/**
 * Images that a task takes through a kernel between some layouts: one whole block. The fewer they are, the sooner what one
 * layer writes is read by the next, from a cache. Never by the number of threads.
 */
export const imagesOf = (layouts: readonly Layout[]): number => Math.max(...layouts.map(({ nb }) => nb));

/** True if a value is a batch norm's of what is kept alone, so that a chain can compute it again. */
const isNormalized = (value: Value, { nodes }: Graph): boolean =>
  nodes.some((node) => node.kind === 'batchNorm' && node.y === value && node.add === null);

/** True if the gradient of a convolution's kernel computes what the convolution reads again. */
const readsAgain = ({ name, x }: NodeOf<'conv'>, graph: Graph, { light }: PlanOptions): boolean =>
  light.has(name) && isNormalized(x, graph);

/** Values that are kept for the gradients of parameters: what convolutions and batch norms read, unless it is computed again. */
export function keptValues(graph: Graph, options: PlanOptions): ReadonlySet<Value> {
  if (options.keep !== 'parameters') return new Set();
  const read = graph.nodes.flatMap((node) => {
    if (node.kind === 'batchNorm' || (node.kind === 'conv' && !readsAgain(node, graph, options))) return [node.x];
    return [];
  });
  return new Set(read);
}

/** True if `next`, which reads the result of the batch norm before it, needs it for no longer than a chain. */
function readsAtOnce(next: Node, result: Value): boolean {
  switch (next.kind) {
    case 'maxPool':
    case 'averagePool':
    case 'repack':
      return true;
    case 'conv':
      return next.add !== result;
    default:
      return false;
  }
}

/** A batch norm and the node that reads its result in the same chain. */
export interface Passing {
  readonly norm: NodeOf<'batchNorm'>;
  readonly reader: Node;
}

/**
 * Results of batch norm that are never written to memory for the whole batch, where layers run one after another: the next
 * node, the only one to read them, does so in the chain that made them.
 */
export function passingValues(graph: Graph, options: PlanOptions): ReadonlyMap<Value, Passing> {
  const { nodes, consumers } = graph;
  const passing = new Map<Value, Passing>();
  if (options.norm === 'folded') return passing;
  const kept = keptValues(graph, options);
  nodes.forEach((node, i) => {
    if (node.kind !== 'batchNorm' || consumers[node.y.id] !== 1 || kept.has(node.y)) return;
    const reader = nodes[i + 1];
    if (inputsOf(reader).includes(node.y) && readsAtOnce(reader, node.y)) passing.set(node.y, { norm: node, reader });
  });
  return passing;
}

/** The batch norm whose result a max pooling computes itself, and nothing else reads. */
export function pooledNorm(x: Value, passing: ReadonlyMap<Value, Passing>): NodeOf<'batchNorm'> | undefined {
  const pair = passing.get(x);
  return pair?.reader.kind === 'maxPool' && pair.norm.add === null ? pair.norm : undefined;
}

/** Values that folded layers hand on in a thread's memory: who makes and reads them is in one chain of equal tasks. */
function handedOn({ nodes }: Graph): ReadonlySet<Value> {
  const users = new Map<Value, { readonly images: number }[]>();
  let chain = { images: 0 };
  for (const node of nodes) {
    const touched = node.kind === 'output' ? [node.x] : [...inputsOf(node), node.y];
    const images = imagesOf(touched.map(({ layout }) => layout));
    if (images !== chain.images) chain = { images };
    for (const value of touched) users.set(value, [...(users.get(value) ?? []), chain]);
  }
  const handed = [...users].filter(
    ([{ layout }, [first, ...others]]) => first.images === layout.nb && others.every((other) => other === first),
  );
  return new Set(handed.map(([value]) => value));
}

/** Values that lie in a thread's memory, from one kernel of a chain to the next. */
export const localValues = (graph: Graph, options: PlanOptions): ReadonlySet<Value> =>
  options.norm === 'folded' ? handedOn(graph) : new Set(passingValues(graph, options).keys());

/** The terms that a node's result is a sum of; they get its gradient as it is. */
function termsOf(node: Node): readonly Value[] {
  if (node.kind === 'combine') return inputsOf(node);
  return (node.kind === 'conv' || node.kind === 'batchNorm') && node.add ? [node.add] : [];
}

/** Values of folded layers whose gradients lie in a thread's memory, and so those of the terms that share them. */
export function localGradients(graph: Graph, options: PlanOptions): ReadonlySet<Value> {
  if (options.norm !== 'folded') return new Set();
  const local = new Set(handedOn(graph));
  for (const node of graph.nodes) {
    if (node.kind !== 'output' && !termsOf(node).every((term) => local.has(term))) local.delete(node.y);
  }
  return local;
}
