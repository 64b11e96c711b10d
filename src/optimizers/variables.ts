// A loss of TensorFlow.js variables, as a function of weights by name: what AGENT needs of a network that is not one of ours.
import type { NamedTensorMap, Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { cloneTensors, disposeTensors, type Tensors } from '../core/params.ts';

/** A TensorFlow.js LayersModel, or anything else that names its variables; or the variables themselves. */
export type VariableOwner = NamedVariables | readonly Variable[];

interface NamedVariables {
  readonly weights: readonly { readonly name: string }[];
  /** The weights that are trained, if these are fewer than the variables that can be: a layer that is frozen trains none. */
  readonly trainableWeights?: readonly { readonly name: string }[];
}

/** A loss at the weights as they are, or at others. Results are owned by the caller. */
export interface VariableLoss<Batch> {
  /** Copies of the trainable variables by name. */
  values(): NamedTensorMap;
  /**
   * The loss and its gradients by variable.
   *
   * @param at values of the trainable variables; those that they have if left out. Where it is given, no variable is changed:
   *   running statistics that the loss moves are put back.
   */
  gradients(batch: Batch, at?: Tensors): { readonly loss: Scalar; readonly gradients: NamedTensorMap };
  /** The loss alone. */
  loss(batch: Batch, at: Tensors): Scalar;
}

/**
 * The loss of a network that keeps its weights in variables, as AGENT evaluates it: at the weights of the moment and at those of
 * a snapshot.
 *
 * @param owner the network whose trainable variables are trained
 * @param loss the loss of a batch, read from these variables
 * @throws InputError if none of the variables is trainable, or one is gone
 */
export function variableLoss<Batch>(owner: VariableOwner, loss: (batch: Batch) => Scalar): VariableLoss<Batch> {
  const variables = variablesOf(owner);
  const isTrained = ([name, { trainable }]: [string, Variable]): boolean =>
    trainable && ('length' in owner || (owner.trainableWeights?.some((weight) => weight.name === name) ?? true));
  const trained = Object.fromEntries(Object.entries(variables).filter(isTrained));
  if (Object.keys(trained).length === 0) {
    throw new InputError('Expected a network with trainable variables, got none. Build the model before.');
  }
  const gradientsHere = (batch: Batch) => {
    const { value, grads } = tf.variableGrads(() => loss(batch), Object.values(trained));
    const entries = Object.entries(trained).map(([name, variable]) => [name, grads[name] ?? tf.zerosLike(variable)]);
    return { loss: value, gradients: Object.fromEntries(entries) as NamedTensorMap };
  };
  /** Evaluates `f` with other values in the trainable variables, and puts back those of all. */
  const evaluateAt = <T>(at: Tensors, f: () => T): T => {
    const before = cloneTensors(variables);
    try {
      assign(trained, at);
      return f();
    } finally {
      assign(variables, before);
      disposeTensors(before);
    }
  };
  return {
    values: () => cloneTensors(trained),
    gradients: (batch, at) => (at ? evaluateAt(at, () => gradientsHere(batch)) : gradientsHere(batch)),
    loss: (batch, at) => evaluateAt(at, () => tf.tidy(() => loss(batch))),
  };
}

function variablesOf(owner: VariableOwner): Record<string, Variable> {
  if ('length' in owner) return Object.fromEntries(owner.map((variable) => [variable.name, variable]));
  const { registeredVariables } = tf.engine();
  return Object.fromEntries(
    owner.weights.map(({ name }) => {
      if (name in registeredVariables) return [name, registeredVariables[name]];
      throw new InputError(`Expected a variable ${name} as the model names it, got none. Was the model disposed?`);
    }),
  );
}

function assign(variables: Readonly<Record<string, Variable>>, values: Tensors): void {
  for (const [name, variable] of Object.entries(variables)) {
    const value: Tensor | undefined = values[name];
    if (value === undefined) throw new InputError(`Expected values of all variables, got none of ${name}.`);
    variable.assign(value);
  }
}
