// Checks of a graph before anything is computed: what it takes and gives, and that all its operators are known.
import type { Squashing } from '../../../../attacks/models/final-activation.ts';
import { InputError } from '../../../core/errors.ts';
import type { EndRecord, ModelRecord, NodeRecord, TensorRecord } from './model.ts';
import { OPERATORS } from './operators/index.ts';

/** A graph with one input and one output, its nodes in an order in which they can be computed. */
export interface Graph {
  readonly opset: number;
  readonly nodes: readonly NodeRecord[];
  readonly input: EndRecord;
  /** The name of the logits. */
  readonly output: string;
  /** The number of classes; null if the file does not say. */
  readonly classes: number | null;
  /** The activation that ended the graph, and was left out. */
  readonly activation: Squashing | null;
}

const OPSETS = { first: 11, last: 23 };

/**
 * The part of a model that gives the logits, with the stored tensors that it takes.
 *
 * @throws InputError for a graph that is no classifier of images, or that uses what Equipoise does not compute
 */
export function checkGraph(
  { opsets, nodes, initializers, inputs, outputs }: ModelRecord,
  path: string,
): { readonly graph: Graph; readonly initializers: readonly TensorRecord[] } {
  const opset = opsets.get('') ?? 0;
  if (!(opset >= OPSETS.first && opset <= OPSETS.last)) {
    throw new InputError(
      `${path}: expected operators of opset ${OPSETS.first} to ${OPSETS.last}, got ${opset}. Export it with opset_version=18, or convert it with onnx.version_converter.`,
    );
  }
  const stored = new Set(initializers.map((tensor) => tensor.name));
  // Old files list weights among the inputs too.
  const given = inputs.filter(({ name }) => !stored.has(name));
  if (given.length !== 1 || outputs.length !== 1) {
    throw new InputError(
      `A classifier has one input and one output; ${path} has ${given.length} (${names(given)}) and ${outputs.length} (${names(outputs)}). Export the part that gives the logits.`,
    );
  }
  const [input] = given;
  const [output] = outputs;
  const computed = nodes.flatMap((node) =>
    node.outputs.filter((name) => name !== '').map((name) => [name, node] as const),
  );
  refuseTwice([...initializers, ...given].map(({ name }) => name).concat(computed.map(([name]) => name)), path);
  const producers: Producers = new Map(computed);
  const { name, activation } = logitsOf(output.name, producers);
  const needed = neededFor(name, producers, new Set([input.name, ...stored]), path);
  refuseUnknown(needed, path);
  const taken = new Set([...needed.flatMap((node) => node.inputs), name]);
  const classes = output.shape?.at(-1) ?? null;
  return {
    graph: { opset, nodes: needed, input, output: name, classes, activation },
    initializers: initializers.filter((tensor) => taken.has(tensor.name)),
  };
}

const names = (ends: readonly EndRecord[]): string => ends.map(({ name }) => name).join(', ');

type Producers = ReadonlyMap<string, NodeRecord>;

/** @throws InputError for a value that comes from two places: stored, given, or computed */
function refuseTwice(sources: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const name of sources) {
    if (seen.has(name)) throw new InputError(`${path} is damaged: the value ${name} has two sources. Export it again.`);
    seen.add(name);
  }
}

/** Final activations by the last operator. */
const SQUASHING: ReadonlyMap<string, Squashing> = new Map([
  ['Softmax', 'softmax'],
  ['Sigmoid', 'sigmoid'],
]);

/** The final activation that a node is. A softmax over another axis than the classes is a part of the network, if a strange one. */
function squashingOf({ op, attributes }: NodeRecord): Squashing | undefined {
  const axis = attributes.get('axis') ?? -1;
  return op === 'Softmax' && axis !== -1 && axis !== 1 ? undefined : SQUASHING.get(op);
}

/** The value before the softmax or sigmoid that ends a graph; the output itself where neither does. */
function logitsOf(output: string, producers: Producers): { name: string; activation: Squashing | null } {
  const seen = new Set<string>();
  let end = output;
  for (let node = producers.get(end); node !== undefined && !seen.has(end); node = producers.get(end)) {
    seen.add(end);
    const activation = squashingOf(node);
    if (activation !== undefined) return { name: node.inputs[0], activation };
    if (node.op !== 'Identity' && node.op !== 'Cast') break;
    end = node.inputs[0];
  }
  return { name: output, activation: null };
}

/** The nodes that an output needs, each behind those whose outputs it takes. */
function neededFor(
  output: string,
  producers: Producers,
  known: ReadonlySet<string>,
  path: string,
): readonly NodeRecord[] {
  const order: NodeRecord[] = [];
  const state = new Map<NodeRecord, 'open' | 'done'>();
  // A stack of its own, since a graph may be deeper than the stack of calls.
  const stack: { readonly node: NodeRecord; next: number }[] = [];
  const visit = (name: string, by: string): void => {
    if (name === '' || known.has(name)) return;
    const node = producers.get(name);
    if (node === undefined) throw new InputError(`${path} is damaged: nothing computes ${name}, which ${by} takes.`);
    const seen = state.get(node);
    if (seen === 'open') throw new InputError(`${path} is damaged: ${describe(node)} needs its own output ${name}.`);
    if (seen === 'done') return;
    state.set(node, 'open');
    stack.push({ node, next: 0 });
  };
  visit(output, 'the graph');
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.next < top.node.inputs.length) visit(top.node.inputs[top.next++], describe(top.node));
    else {
      state.set(top.node, 'done');
      order.push(top.node);
      stack.pop();
    }
  }
  return order;
}

/** What messages call a node. */
export const describe = ({ op, domain, name, outputs }: NodeRecord): string =>
  `${domain === '' ? op : `${domain}.${op}`} (${name === '' ? `computes ${outputs[0]}` : name})`;

/** @throws InputError that names every operator that is not known */
function refuseUnknown(nodes: readonly NodeRecord[], path: string): void {
  const unknown = nodes.filter(({ op, domain }) => domain !== '' || !OPERATORS.has(op));
  if (unknown.length === 0) return;
  const first = new Map<string, { node: NodeRecord; count: number }>();
  for (const node of unknown) {
    const kind = `${node.domain}.${node.op}`;
    const before = first.get(kind);
    first.set(kind, { node: before?.node ?? node, count: (before?.count ?? 0) + 1 });
  }
  const list = [...first.values()].map(
    ({ node, count }) => `\n  ${describe(node)}${count > 1 ? ` and ${count - 1} more` : ''}`,
  );
  throw new InputError(
    `${path} uses operators that Equipoise does not compute:${list.join('')}\nExport the model without them, or wrap it with --module.`,
  );
}
