// Plans the backward pass of a network.
import { Backward, type Passed, type Wants } from './backward-pass.ts';
import type { Node, NodeOf } from './graph.ts';
import * as averagePool from './nodes/average-pool.ts';
import * as batchNorm from './nodes/batch-norm.ts';
import * as combine from './nodes/combine.ts';
import * as convolution from './nodes/convolution.ts';
import * as images from './nodes/images.ts';
import * as logits from './nodes/logits.ts';
import * as maxPool from './nodes/max-pool.ts';
import * as repack from './nodes/repack.ts';
import type { Plan } from './plan.ts';

type BackwardOf<Kind extends Node['kind']> = (node: NodeOf<Kind>, pass: Backward) => void;

const BACKWARD: { readonly [Kind in Node['kind']]: BackwardOf<Kind> } = {
  input: images.backward,
  conv: convolution.backward,
  normalize: batchNorm.backward,
  batchNorm: batchNorm.backward,
  combine: combine.backward,
  maxPool: maxPool.backward,
  averagePool: averagePool.backward,
  repack: repack.backward,
  output: logits.backward,
};

export function planBackward(forward: Passed, wants: Wants): Plan {
  const pass = new Backward(forward, wants);
  for (const node of [...forward.graph.nodes].reverse()) {
    if (pass.reaches(node)) (BACKWARD[node.kind] as BackwardOf<Node['kind']>)(node, pass);
  }
  return pass.builder.finish();
}
