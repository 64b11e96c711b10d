// What a gradient transformation is: a pure pair of `init` and `update`.
import type { Tensors } from '../core/params.ts';

/**
 * An optimizer's memory: trees of tensors by slot, such as `trace`. Each tree has the names of the parameters it belongs
 * to, so a checkpoint stores and a mask update carries every slot without knowing the optimizer.
 */
export type OptimizerState = Readonly<Record<string, Tensors>>;

/**
 * A pure transformation of gradients (optax): `update` borrows everything it is given and returns tensors that the
 * caller owns. `extra` is whatever else the transformation needs, such as the learning rate of this step.
 */
export interface GradientTransformation<Extra> {
  init(params: Tensors): OptimizerState;
  update(
    grads: Tensors,
    state: OptimizerState,
    params: Tensors,
    extra: Extra,
  ): { readonly updates: Tensors; readonly state: OptimizerState };
}
