// Plans the forward pass of a network.
import type { Passed } from './backward-pass.ts';
import { Forward, type Statistics } from './forward-pass.ts';
import type { Graph, Node, NodeOf } from './graph.ts';
import * as averagePool from './nodes/average-pool.ts';
import * as batchNorm from './nodes/batch-norm.ts';
import * as combine from './nodes/combine.ts';
import * as convolution from './nodes/convolution.ts';
import * as images from './nodes/images.ts';
import * as logits from './nodes/logits.ts';
import * as maxPool from './nodes/max-pool.ts';
import * as repack from './nodes/repack.ts';
import type { Plan, PlanOptions } from './plan.ts';

export interface ForwardPlan extends Plan, Passed {
  readonly savedBytes: number;
  /** Statistics by the name of the batch-norm layer. */
  readonly statistics: ReadonlyMap<string, Statistics>;
}

type ForwardOf<Kind extends Node['kind']> = (node: NodeOf<Kind>, pass: Forward) => void;

const FORWARD: { readonly [Kind in Node['kind']]: ForwardOf<Kind> } = {
  input: images.forward,
  conv: convolution.forward,
  normalize: batchNorm.forwardNormalize,
  batchNorm: batchNorm.forward,
  combine: combine.forward,
  maxPool: maxPool.forward,
  averagePool: averagePool.forward,
  repack: repack.forward,
  output: logits.forward,
};

export function planForward(graph: Graph, options: PlanOptions): ForwardPlan {
  const pass = new Forward(graph, options);
  for (const node of graph.nodes) (FORWARD[node.kind] as ForwardOf<Node['kind']>)(node, pass);
  const { builder, statistics, values, bits, choices, coefficients } = pass;
  return {
    ...builder.finish(),
    options,
    graph,
    savedBytes: builder.savedBytes,
    statistics,
    places: { values, bits, choices, coefficients },
  };
}
