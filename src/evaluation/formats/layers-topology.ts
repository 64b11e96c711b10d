// Checks how the layers of a LayersModel are connected before tfjs-layers builds it, which waits for ever for a layer that is
// missing or that waits for itself.
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';

const reference = z.tuple([z.string(), z.int().min(0), z.int().min(0)]).rest(z.unknown());

const functionalSchema = z.looseObject({
  layers: z.array(
    z.looseObject({
      name: z.string(),
      class_name: z.string(),
      config: z.looseObject({ name: z.string().optional() }),
      inbound_nodes: z.array(z.array(reference)),
    }),
  ),
  input_layers: z.array(reference),
  output_layers: z.array(reference),
});

type Functional = z.infer<typeof functionalSchema>;

/** Layers that are called once by being made: inputs and models. */
const CALLED_WHEN_MADE: ReadonlySet<string> = new Set(['InputLayer', 'Model', 'Functional', 'Sequential']);
const DEEPEST = 200;

/**
 * Checks every graph of layers in a topology, nested ones too.
 *
 * @param remedy what a user can do about it
 * @throws InputError if a graph names a layer that is missing, waits for itself, or has another form, or if a layer keeps a state
 * between calls
 */
export function checkLayersTopology(path: string, topology: unknown, remedy: string): void {
  const refuse = (what: string): never => {
    throw new InputError(`${path} cannot be built by tfjs-layers: ${what} ${remedy}`);
  };
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null) return;
    if (depth > DEEPEST) refuse(`its topology is nested deeper than ${DEEPEST} levels.`);
    const { class_name: kind, config } = value as { class_name?: unknown; config?: unknown };
    if (kind === 'Model' || kind === 'Functional') {
      const { success, data, error } = functionalSchema.safeParse(config);
      if (success) checkGraph(data, refuse);
      else refuse(`its layers are not described as Keras 2 does (${z.prettifyError(error).split('\n')[0]}).`);
    }
    if (typeof kind === 'string' && (config as { stateful?: unknown } | undefined)?.stateful === true) {
      const { name = kind } = config as { readonly name?: unknown };
      throw new InputError(
        `The layer ${name} of ${path} is stateful: its answer for an image depends on the images before it, so no attack on one image means anything. Save the model with stateful=False.`,
      );
    }
    for (const part of Object.values(value)) visit(part, depth + 1);
  };
  visit(topology, 0);
}

const callSchema = z.looseObject({ training: z.literal(true) });

/**
 * The layers that Keras runs in training mode whatever the model is asked to do, such as a dropout of `training=True`.
 * TensorFlow.js leaves out the arguments of calls.
 */
export function alwaysTraining(topology: unknown): readonly string[] {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { name, inbound_nodes: calls } = value as { name?: unknown; inbound_nodes?: unknown };
    const parsed = z.array(z.array(reference)).safeParse(calls);
    if (parsed.data?.flat().some(([, , , call]) => callSchema.safeParse(call).success)) found.add(String(name));
    for (const part of Object.values(value)) visit(part);
  };
  visit(topology);
  return [...found];
}

function checkGraph({ layers, input_layers, output_layers }: Functional, refuse: (what: string) => never): void {
  const calls = new Map<string, number>();
  for (const { name, class_name, config } of layers) {
    if (calls.has(name)) refuse(`two of its layers are named ${name}.`);
    if (config.name !== undefined && config.name !== name) refuse(`its layer ${name} is also named ${config.name}.`);
    calls.set(name, CALLED_WHEN_MADE.has(class_name) ? 1 : 0);
  }
  let waiting = layers.flatMap(({ name, inbound_nodes }) => inbound_nodes.map((inputs) => ({ name, inputs })));
  for (const [name, ends] of [
    ...waiting.map(({ name, inputs }) => [`layer ${name}`, inputs] as const),
    ['list of inputs', input_layers] as const,
    ['list of outputs', output_layers] as const,
  ]) {
    const missing = ends.find(([from]) => !calls.has(from));
    if (missing) refuse(`its ${name} names the layer ${missing[0]}, which is missing.`);
  }
  const isThere = ([from, call]: readonly [string, number, ...unknown[]]): boolean => (calls.get(from) ?? 0) > call;
  // A call runs once its inputs are there, as tfjs-layers does it, until no call is left or none can run.
  while (waiting.length > 0) {
    const later = waiting.filter(({ name, inputs }) => {
      if (!inputs.every(isThere)) return true;
      if (inputs.length > 0) calls.set(name, (calls.get(name) ?? 0) + 1);
      return false;
    });
    if (later.length === waiting.length) {
      const names = [...new Set(later.map(({ name }) => name))].slice(0, 4).join(', ');
      refuse(`its layers ${names} wait for the outputs of each other, or for calls that are missing.`);
    }
    waiting = later;
  }
  const end = [...input_layers, ...output_layers].find((one) => !isThere(one));
  if (end) refuse(`its inputs or outputs name call ${end[1]} of layer ${end[0]}, which is missing.`);
}

const WHOLE_NUMBERS = /^u?int\d+$/;

/** The same topology with inputs of floats where they were of whole numbers, through which no gradient goes. */
export function withFloatInputs<Topology>(topology: Topology): {
  readonly topology: Topology;
  readonly changed: boolean;
} {
  let changed = false;
  const withFloats = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(withFloats);
    if (typeof value !== 'object' || value === null) return value;
    const { class_name: kind, config } = value as { class_name?: unknown; config?: { dtype?: unknown } };
    const isInput = kind === 'InputLayer' || (config !== undefined && Object.hasOwn(config ?? {}, 'batch_input_shape'));
    if (isInput && kind !== 'Embedding' && WHOLE_NUMBERS.test(String(config?.dtype))) {
      changed = true;
      return { ...value, config: { ...config, dtype: 'float32' } };
    }
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withFloats(part)]));
  };
  return { topology: withFloats(topology) as Topology, changed };
}
