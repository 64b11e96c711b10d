// The nodes of a GraphModel, checked before tfjs-converter builds it: every node that is named exists, no node waits for
// itself, and every constant is among the weights of the file.
import { z } from 'zod';
import type { Squashing } from '../../../attacks/models/final-activation.ts';
import type { SavedModel } from '../../checkpoints/exchange/saved-model.ts';
import { InputError } from '../../core/errors.ts';

const nodeSchema = z.looseObject({ name: z.string(), op: z.string(), input: z.array(z.string()).optional() });

const topologySchema = z.looseObject({
  node: z.array(nodeSchema),
  library: z
    .looseObject({ function: z.array(z.looseObject({ nodeDef: z.array(nodeSchema).optional() })).optional() })
    .nullish(),
});

const signatureSchema = z.looseObject({
  outputs: z.record(z.string(), z.looseObject({ name: z.string() })).optional(),
});

export type GraphNode = z.infer<typeof nodeSchema>;

export interface Graph {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  /** Tensors that the signature names as outputs. */
  readonly outputs: readonly string[];
}

/** Control flow of TensorFlow 1, whose loops are cycles of nodes. */
const LOOP = 'NextIteration';

/** @throws InputError if the topology is no graph whose nodes and constants are all there */
export function readGraph(path: string, { topology, weightSpecs, json }: SavedModel): Graph {
  const refuse = (what: string): never => {
    throw new InputError(`${path} cannot be built by tfjs-converter: ${what} Convert the model again.`);
  };
  const parsed = topologySchema.safeParse(topology);
  const signature = signatureSchema.safeParse(json.signature ?? {});
  if (!parsed.success) return refuse(`its topology is no graph (${z.prettifyError(parsed.error).split('\n')[0]}).`);
  if (!signature.success) return refuse('its signature does not name outputs.');
  const { node, library } = parsed.data;
  const nodes = new Map(node.map((one) => [one.name, one]));
  if (nodes.size < node.length) refuse('two of its nodes have the same name.');
  for (const { name, input = [] } of node) {
    const missing = input.map(nodeName).find((other) => !nodes.has(other));
    if (missing !== undefined) refuse(`its node ${name} takes the output of ${missing}, which is missing.`);
  }
  const outputs = Object.values(signature.data.outputs ?? {}).map(({ name }) => name);
  const missing = outputs.find((output) => !nodes.has(nodeName(output)));
  if (missing !== undefined) refuse(`its output ${missing} is missing.`);
  if (!node.some(({ op }) => op === LOOP)) checkOrder(node, refuse);
  const inFunctions = (library?.function ?? []).flatMap(({ nodeDef = [] }) => nodeDef);
  const initializer = topologySchema.safeParse(json.modelInitializer ?? { node: [] });
  if (!initializer.success) return refuse('its initializer is no graph.');
  const all = [...node, ...inFunctions, ...initializer.data.node];
  const constants = new Map<string, GraphNode[]>();
  for (const one of all) {
    if (one.op === 'Const') constants.set(one.name, [...(constants.get(one.name) ?? []), one]);
  }
  for (const { name, shape, dtype } of weightSpecs) {
    const declared = constants.get(name);
    if (declared === undefined) return refuse(`the weightsManifest names ${name}, which is no constant of the graph.`);
    const forms = declared.map(constantForm);
    if (!forms.some((form) => fits(form, shape, dtype))) {
      refuse(`the weightsManifest has ${name} as ${dtype} [${shape}]; its node is ${describeForm(forms[0])}.`);
    }
    constants.delete(name);
  }
  const [unset] = constants.keys();
  if (unset !== undefined) refuse(`its weight ${unset} is not in the weightsManifest.`);
  return { nodes, outputs };
}

/** The types of TensorFlow by those that TensorFlow.js stores them as. */
const STORED: Readonly<Record<string, readonly string[]>> = {
  float32: ['DT_FLOAT', 'DT_DOUBLE', 'DT_HALF', 'DT_BFLOAT16'],
  int32: ['DT_INT32', 'DT_INT64', 'DT_INT16', 'DT_INT8', 'DT_UINT8', 'DT_UINT16', 'DT_UINT32', 'DT_UINT64'],
  bool: ['DT_BOOL'],
  complex64: ['DT_COMPLEX64', 'DT_COMPLEX128'],
  string: ['DT_STRING'],
};

const constantSchema = z.looseObject({
  dtype: z.looseObject({ type: z.string() }).optional(),
  value: z
    .looseObject({
      tensor: z.looseObject({
        tensorShape: z.looseObject({ dim: z.array(z.looseObject({ size: z.coerce.number() })).optional() }).optional(),
      }),
    })
    .optional(),
});

/** What a graph says of a constant; null where it says nothing that is known here. */
interface ConstantForm {
  readonly dtype: string | null;
  readonly shape: readonly number[] | null;
}

function constantForm({ attr }: GraphNode): ConstantForm {
  const { data } = constantSchema.safeParse(attr);
  const type = data?.dtype?.type ?? '';
  const dtype = Object.keys(STORED).find((stored) => STORED[stored].includes(type)) ?? null;
  return { dtype, shape: data?.value?.tensor.tensorShape?.dim?.map(({ size }) => size) ?? null };
}

const fits = (form: ConstantForm, shape: readonly number[], dtype: string): boolean =>
  (form.dtype ?? dtype) === dtype && String(form.shape ?? shape) === String(shape);

const describeForm = ({ dtype, shape }: ConstantForm): string =>
  [dtype, shape && `[${shape}]`].filter((part) => part !== null).join(' ');

/** Refuses nodes that wait for each other: what is left after every node whose inputs are there is taken away. */
function checkOrder(nodes: readonly GraphNode[], refuse: (what: string) => never): void {
  const readers = new Map<string, string[]>();
  const waitsFor = new Map<string, number>();
  for (const { name, input = [] } of nodes) {
    waitsFor.set(name, input.length);
    for (const from of input.map(nodeName)) {
      const known = readers.get(from);
      if (known) known.push(name);
      else readers.set(from, [name]);
    }
  }
  const ready = nodes.flatMap(({ name, input = [] }) => (input.length === 0 ? [name] : []));
  for (let done = 0; done < ready.length; done++) {
    for (const reader of readers.get(ready[done]) ?? []) {
      const left = (waitsFor.get(reader) ?? 0) - 1;
      waitsFor.set(reader, left);
      if (left === 0) ready.push(reader);
    }
  }
  if (ready.length === nodes.length) return;
  const waiting = [...waitsFor].flatMap(([name, left]) => (left > 0 ? [name] : [])).slice(0, 4);
  refuse(`its nodes ${waiting.join(', ')} wait for each other.`);
}

/** Convolutions that the converter fused with their bias, by the operation of the convolution alone. */
const UNFUSED: Readonly<Record<string, string>> = {
  _FusedConv2D: 'Conv2D',
  FusedDepthwiseConv2dNative: 'DepthwiseConv2dNative',
};

const fusedWith = z.object({ fused_ops: z.object({ list: z.object({ s: z.array(z.string()) }) }) });

/**
 * Nodes in which a convolution and its bias are separate, unless an activation is fused as well, which TensorFlow.js separates
 * itself wherever a gradient is taken. With every gradient through a fused convolution it computes that of the weights, which
 * an attack does not need and some backends cannot.
 */
export const unfused = (nodes: readonly GraphNode[]): GraphNode[] =>
  nodes.flatMap((node) => {
    const { name, op, input = [], attr } = node;
    const { data } = fusedWith.safeParse(attr);
    const ops = data?.fused_ops.list.s.map((text) => Buffer.from(text, 'base64').toString());
    if (!Object.hasOwn(UNFUSED, op) || String(ops) !== 'BiasAdd' || input.length !== 3) return [node];
    const convolution = `${name}/convolution of its own`;
    return [
      { ...node, name: convolution, op: UNFUSED[op], input: input.slice(0, 2) },
      { name, op: 'BiasAdd', input: [convolution, input[2]], attr: { data_format: { s: NHWC } } },
    ];
  });

const NHWC = Buffer.from('NHWC').toString('base64');

const placeholder = z.looseObject({ dtype: z.looseObject({ type: z.union([z.string(), z.number()]) }) });

/** Names and numbers of the types of whole numbers, as TensorFlow's DataType has them. */
const WHOLE_NUMBERS: readonly (string | number)[] = [
  'DT_INT32',
  'DT_UINT8',
  'DT_INT16',
  'DT_INT8',
  'DT_INT64',
  3,
  4,
  5,
  6,
  9,
];

const takesWholeNumbers = ({ op, attr }: GraphNode): boolean => {
  if (op !== 'Placeholder') return false;
  const { data } = placeholder.safeParse(attr);
  return data !== undefined && WHOLE_NUMBERS.includes(data.dtype.type);
};

/**
 * The same nodes with inputs of floats where they were of whole numbers, through which no gradient goes. The cast behind such an
 * input then changes nothing.
 */
export function withFloatInputs(nodes: readonly GraphNode[]): {
  readonly nodes: GraphNode[];
  readonly changed: boolean;
} {
  const float = (node: GraphNode): GraphNode => ({
    ...node,
    attr: { ...(node.attr as object), dtype: { type: 'DT_FLOAT' } },
  });
  return {
    nodes: nodes.map((node) => (takesWholeNumbers(node) ? float(node) : node)),
    changed: nodes.some(takesWholeNumbers),
  };
}

/** Final activations by the operation of the last node. */
const SQUASHING: Readonly<Record<string, Squashing>> = { Softmax: 'softmax', Sigmoid: 'sigmoid' };

/** The tensor that a softmax or sigmoid at the end of a graph is taken of; null if the graph ends in neither. */
export function logitsOf({
  nodes,
  outputs,
}: Graph): { readonly tensor: string; readonly activation: Squashing } | null {
  const used = new Set([...nodes.values()].flatMap(({ input = [] }) => input.map(nodeName)));
  const ends = outputs.length > 0 ? outputs : [...nodes.keys()].filter((name) => !used.has(name));
  if (ends.length !== 1) return null;
  let end = nodes.get(nodeName(ends[0]));
  while (end?.op === 'Identity') end = nodes.get(nodeName(end.input?.[0] ?? ''));
  const activation = SQUASHING[end?.op ?? ''];
  const [tensor] = end?.input ?? [];
  return activation === undefined || tensor === undefined ? null : { tensor, activation };
}

/** The node of a tensor: `dense/BiasAdd` of `dense/BiasAdd:0` and of `^dense/BiasAdd`. */
const nodeName = (tensor: string): string => tensor.replace(/^\^/, '').replace(/:\d+$/, '');
