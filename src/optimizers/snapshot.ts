// The snapshot of a network that AGENT corrects by.
import { cloneTensors, copyParams, disposeParams, disposeTensors, type Params, type Tensors } from '../core/params.ts';

/** The network θ̃ that AGENT's corrections of one epoch refer to: parameters on their structures, and batch-norm state. */
export interface Snapshot {
  readonly params: Params;
  readonly state: Tensors;
}

/** A frozen copy, owned by the caller. */
export const takeSnapshot = (params: Params, state: Tensors): Snapshot => ({
  params: copyParams(params),
  state: cloneTensors(state),
});

/** Disposes the tensors of a snapshot. */
export const disposeSnapshot = ({ params, state }: Snapshot): void => {
  disposeParams(params);
  disposeTensors(state);
};
