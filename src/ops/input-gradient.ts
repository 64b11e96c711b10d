// The gradient of a function with respect to its input, as tf.grad gives it, in a fraction of the memory: nothing is saved for
// gradients that nobody asks for, and the backward pass frees each tensor once its last reader has run.
import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { isOutOfMemory, messageOf } from '../core/errors.ts';
import { replaced } from '../core/replaced.ts';
import type { Reads } from './gradients/gradient.ts';

/** An op that was recorded on the way from the input to the result. */
interface TapeNode {
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, Tensor | undefined>>;
  readonly outputs: readonly Tensor[];
  readonly saved: readonly (Saved | undefined)[];
  readonly gradient?: NodeGradient;
}

type NodeGradient = (dys: readonly (Tensor | null)[]) => Readonly<Record<string, () => Tensor>>;

/** A tensor, or what is left of one whose values no gradient reads: its shape and type. */
type Saved = Tensor | (Pick<Tensor, 'shape' | 'dtype' | 'rank' | 'size'> & { dispose(): void });

/** The parts of tfjs-core's engine that record ops. */
interface Recorder {
  readonly state: { gradientDepth: number; activeTape: TapeNode[] | null };
  startTape(): void;
  endTape(): void;
  addTapeNode(...node: unknown[]): void;
  getTensorsForGradient(kernel: string, inputs: TapeNode['inputs'], outputs: readonly Tensor[]): (Saved | undefined)[];
  saveTensorsForBackwardMode(tensors: readonly (Saved | undefined)[]): readonly (Saved | undefined)[];
}

/**
 * ∂ f(x) / ∂ x, owned by the caller. It equals that of `tf.grad`, and fails with the same messages.
 *
 * @param f gives a scalar; its ops are recorded while it runs
 * @param x borrowed
 */
export function inputGradient(f: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const recorder = tf.engine() as unknown as Recorder;
  // Within another gradient every op belongs to the outer tape.
  if (recorder.state.gradientDepth > 0) return tf.grad(f)(x);
  return tf.tidy(() => {
    try {
      const { y, live } = record(recorder, f, x);
      return backward(recorder.state.activeTape ?? [], y, x, live);
    } finally {
      for (const { saved } of recorder.state.activeTape ?? []) free(saved);
      recorder.state.activeTape = null;
    }
  });
}

/** Runs f. `live` are the numbers of the tensors that depend on x. */
function record(recorder: Recorder, f: (x: Tensor) => Tensor, x: Tensor): { y: Tensor; live: ReadonlySet<number> } {
  const live = new Set([x.id]);
  const { addTapeNode, getTensorsForGradient, saveTensorsForBackwardMode } = recorder;
  const isLive = (tensor: Tensor | undefined): boolean =>
    tensor !== undefined && tensor !== null && live.has(tensor.id);
  // A gradient within f may be with respect to any tensor.
  const isNested = (): boolean => recorder.state.gradientDepth > 1;
  const add: Recorder['addTapeNode'] = (...node) => {
    const [, inputs, outputs] = node as unknown as [string, TapeNode['inputs'], TapeNode['outputs']];
    if (Object.values(inputs).some(isLive)) for (const { id } of outputs) live.add(id);
    addTapeNode.apply(recorder, node);
  };
  const choose: Recorder['getTensorsForGradient'] = (kernel, inputs, outputs) => {
    const config = tf.getGradient(kernel) as (GradConfig & { reads?: Reads }) | undefined;
    if (isNested() || config === undefined) return getTensorsForGradient.call(recorder, kernel, inputs, outputs);
    const asked = Object.keys(inputs).filter((name) => isLive(inputs[name]));
    if (asked.length === 0) return [];
    const { reads, saveAllInputs, inputsToSave = [], outputsToSave = [] } = config;
    const read = reads === undefined ? null : new Set(asked.flatMap((name) => reads[name] ?? []));
    return [
      ...(saveAllInputs ? Object.keys(inputs) : inputsToSave).map((name) =>
        read === null || read.has(name) ? inputs[name] : shapeOf(inputs[name]),
      ),
      ...outputs.filter((_, i) => outputsToSave[i]),
    ];
  };
  const save: Recorder['saveTensorsForBackwardMode'] = (tensors) =>
    tensors.map((tensor) =>
      tensor instanceof tf.Tensor ? saveTensorsForBackwardMode.call(recorder, [tensor])[0] : tensor,
    );
  const run = (): Tensor => {
    recorder.startTape();
    try {
      return tf.tidy(() => f(x));
    } finally {
      recorder.endTape();
    }
  };
  const y = replaced(recorder, 'addTapeNode', add, () =>
    replaced(recorder, 'getTensorsForGradient', choose, () =>
      replaced(recorder, 'saveTensorsForBackwardMode', save, run),
    ),
  );
  return { y, live };
}

/** Goes back from y, which is 1, to x. Each op's dy and what was saved for it are freed once its gradients exist. */
function backward(tape: readonly TapeNode[], y: Tensor, x: Tensor, live: ReadonlySet<number>): Tensor {
  const slopes = new Map<number, Tensor>([[y.id, tf.ones(y.shape)]]);
  for (const node of tape.toReversed()) {
    const { inputs, outputs, saved } = node;
    const asked = Object.keys(inputs).filter((name) => live.has(inputs[name]?.id ?? -1));
    if (asked.length > 0 && outputs.some(({ id }) => slopes.has(id))) {
      const found = gradientsOf(
        node,
        asked,
        outputs.map(({ id }) => slopes.get(id) ?? null),
      );
      for (const { id } of outputs) {
        slopes.get(id)?.dispose();
        slopes.delete(id);
      }
      for (const [i, name] of asked.entries()) {
        const { id } = inputs[name] as Tensor;
        const before = slopes.get(id);
        slopes.set(id, before === undefined ? found[i] : tf.add(before, found[i]));
        if (before !== undefined) tf.dispose([before, found[i]]);
      }
    }
    free(saved);
  }
  const gradient = slopes.get(x.id);
  if (gradient === undefined || y.id === x.id) {
    throw new Error('Cannot compute gradient of y=f(x) with respect to x: no recorded op leads from x to y.');
  }
  return gradient;
}

/** What a node's gradient returns. The errors of a gradient that was given to tf.customGrad say so. */
function slopesOf(
  kernelName: string,
  gradient: NodeGradient,
  dys: Parameters<NodeGradient>[0],
): ReturnType<NodeGradient> {
  try {
    return gradient(dys);
  } catch (error) {
    const message = messageOf(error);
    const isKnown = tf.getGradient(kernelName) !== undefined || message.startsWith('Error in gradient');
    if (isKnown || isOutOfMemory(error)) throw error;
    throw new Error(`Error in gradient of a tf.customGrad: ${message}`, { cause: error });
  }
}

/** The gradients of a node's inputs, each a tensor of its own. */
function gradientsOf(node: TapeNode, asked: readonly string[], dys: readonly (Tensor | null)[]): readonly Tensor[] {
  const { kernelName, gradient, inputs } = node;
  if (gradient === undefined) {
    throw new Error(`Cannot compute gradient: gradient function not found for ${kernelName}.`);
  }
  return tf.tidy(() => {
    const gradients = slopesOf(kernelName, gradient, dys);
    return asked.map((name) => {
      if (!(name in gradients)) throw new Error(`Cannot backprop through input ${name} of ${kernelName}.`);
      const slope = gradients[name]();
      const { shape } = inputs[name] as Tensor;
      if (slope.dtype !== 'float32' || !tf.util.arraysEqual(slope.shape, shape)) {
        throw new Error(
          `Error in gradient for op ${kernelName}: the gradient of input '${name}' is ${slope.dtype} [${slope.shape}], which does not match float32 [${shape}].`,
        );
      }
      return tf.clone(slope);
    });
  });
}

const shapeOf = (tensor: Tensor | undefined): Saved | undefined =>
  tensor && { shape: tensor.shape, dtype: tensor.dtype, rank: tensor.rank, size: tensor.size, dispose: () => {} };

/** Saved tensors are kept, so no scope frees them. */
const free = (saved: TapeNode['saved']): void => {
  for (const tensor of saved) tensor?.dispose();
};
