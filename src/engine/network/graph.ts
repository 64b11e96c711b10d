// A network as a graph of nodes that the engine plans. build-graph.ts makes it from a program.
import type { Geometry, Layout } from '../layout/layout.ts';

/** Activations between two nodes. */
export interface Value {
  readonly id: number;
  readonly layout: Layout;
  /** True if these are the outputs of a ReLU, whose signs are kept. */
  readonly relu: boolean;
}

/** One step of a network, its shapes and layouts resolved. */
export type Node =
  | { readonly kind: 'input'; readonly y: Value }
  | {
      readonly kind: 'conv';
      readonly name: string;
      readonly geometry: Geometry;
      /** The kernel's dense shape. */
      readonly shape: readonly number[];
      readonly bias: boolean;
      /** The batch norm whose running statistics are folded into weights and bias. */
      readonly norm: string | null;
      readonly x: Value;
      /** What is added before the ReLU: the other branch of a residual layer. */
      readonly add: Value | null;
      readonly y: Value;
    }
  | {
      readonly kind: 'batchNorm';
      readonly name: string;
      readonly x: Value;
      readonly add: Value | null;
      readonly y: Value;
    }
  | {
      readonly kind: 'normalize';
      readonly mean: readonly number[];
      readonly std: readonly number[];
      readonly x: Value;
      readonly y: Value;
    }
  /** a + b, or a alone */
  | { readonly kind: 'combine'; readonly a: Value; readonly b: Value | null; readonly y: Value }
  | { readonly kind: 'maxPool'; readonly size: number; readonly x: Value; readonly y: Value }
  | { readonly kind: 'averagePool'; readonly x: Value; readonly y: Value }
  /** A copy of activations into another layout: other blocks, the planes of a strided convolution, or one row of features. */
  | {
      readonly kind: 'repack';
      readonly form: 'blocks' | 'planes' | 'flatten';
      readonly planes: number;
      readonly x: Value;
      readonly y: Value;
    }
  | { readonly kind: 'output'; readonly x: Value };

export type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

export interface Graph {
  readonly nodes: readonly Node[];
  readonly values: readonly Value[];
  /** Number of nodes that read each value. */
  readonly consumers: readonly number[];
  /** Values of the output a sample. */
  readonly outputs: number;
}

/** The values that a node reads. */
export function inputsOf(node: Node): readonly Value[] {
  switch (node.kind) {
    case 'input':
      return [];
    case 'combine':
      return node.b ? [node.a, node.b] : [node.a];
    case 'conv':
    case 'batchNorm':
      return node.add ? [node.x, node.add] : [node.x];
    default:
      return [node.x];
  }
}
