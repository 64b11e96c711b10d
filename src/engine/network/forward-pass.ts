// The state of planning a forward pass: where values and statistics lie.
import { bitsBlock, paddedBatch } from '../layout/layout.ts';
import { NO_SUMS, SUM_BYTES } from '../records/fields.ts';
import { Arena } from './arena.ts';
import { type ArenaName, Builder, type Place, type Side } from './builder.ts';
import { keptValues, localValues, type Passing, passingValues, pooledNorm } from './chains.ts';
import { type Graph, inputsOf, type Node, type NodeOf, type Value } from './graph.ts';
import type { Field, PlanOptions } from './plan.ts';

/** Per-channel numbers of a batch-norm or normalisation layer. */
export interface Coefficients {
  readonly mean: Field;
  readonly inverse: Field;
  readonly scale: Field;
  readonly shift: Field;
}

/** Where a forward pass leaves what the backward pass needs, by value and node. */
export interface Places {
  readonly values: ReadonlyMap<Value, Place>;
  readonly bits: ReadonlyMap<Value, Place>;
  readonly choices: ReadonlyMap<Node, Place>;
  readonly coefficients: ReadonlyMap<Node, Coefficients>;
}

/** Sums of a value's channels, or of its gradient's: so many tasks with so many images each have left theirs. */
export interface Sums {
  readonly place: Place;
  readonly images: number;
  readonly tasks: number;
}

/** The fields of a kernel that leaves sums. */
export type SumFields = { readonly [F in keyof typeof NO_SUMS]: Field };

/** Where the running statistics of a batch-norm layer are after the batch. */
export interface Statistics {
  readonly channels: number;
  readonly mean: Field;
  readonly variance: Field;
}

/** The fields of a ReLU's signs. */
export type Bits = Side<'bits'>;
export const NO_BITS: Bits = { bits: 0, bitsTask: 0 };

/** What the nodes' forward passes share: where values lie, and for how long. */
export class Forward {
  readonly options: PlanOptions;
  readonly builder: Builder;
  readonly values = new Map<Value, Place>();
  readonly bits = new Map<Value, Place>();
  readonly choices = new Map<Node, Place>();
  readonly coefficients = new Map<Node, Coefficients>();
  readonly statistics = new Map<string, Statistics>();
  /** What the kernels that write the inputs of batch norms leave for them. */
  readonly sums = new Map<Value, Sums>();
  /** Nodes that have yet to read each value. */
  readonly #readers: number[];
  /** Inputs of convolutions and batch norms that the gradients of their parameters read. */
  readonly #needed: ReadonlySet<Value>;
  readonly #passing: ReadonlyMap<Value, Passing>;
  readonly #local: ReadonlySet<Value>;
  /** Inputs of batch norms that need statistics. */
  readonly #normalized: ReadonlySet<Value>;

  constructor(graph: Graph, options: PlanOptions) {
    const { nodes, consumers } = graph;
    this.options = options;
    this.builder = new Builder(options, new Arena());
    this.#readers = [...consumers];
    this.#passing = passingValues(graph, options);
    this.#local = localValues(graph, options);
    this.#needed = keptValues(graph, options);
    const norms = nodes.filter((node) => node.kind === 'batchNorm');
    this.#normalized = new Set(options.norm === 'batch' ? norms.map(({ x }) => x) : []);
  }

  /** Where numbers lie that the backward pass needs, if there may be one. */
  get persistent(): ArenaName {
    return this.options.keep === 'nothing' ? 'constants' : 'saved';
  }

  /** The side of a value that a node reads; `done` when it has. */
  source<Name extends string>(name: Name, value: Value, images: number): Side<Name> {
    return this.builder.side(name, this.values.get(value) as Place, value, images);
  }

  /** The side of what is added to a node's result, if anything is. */
  added(value: Value | null, images: number): Side<'add'> {
    return value ? this.source('add', value, images) : this.builder.noSide('add');
  }

  /** Images a task of the elementwise op that writes `value`: those of its reader, where that reads it in the same chain. */
  imagesTo(value: Value): number {
    const reader = this.#passing.get(value)?.reader;
    const written = reader && reader.kind !== 'output' ? [reader.y] : [];
    const read = reader ? inputsOf(reader) : [];
    return this.builder.imagesFor(value.layout, ...[...written, ...read].map(({ layout }) => layout));
  }

  /** The batch norm whose result the max pooling that reads it computes itself. */
  pooledNorm(value: Value): NodeOf<'batchNorm'> | undefined {
    return pooledNorm(value, this.#passing);
  }

  /** The side of a value that a node writes. */
  target<Name extends string>(name: Name, value: Value, images: number): Side<Name> {
    const { builder } = this;
    const arena = this.#arenaOf(value);
    const place =
      arena === 'local' ? builder.localActivations(value.layout, images) : builder.activations(value.layout, arena);
    this.values.set(value, place);
    return this.builder.side(name, place, value, images);
  }

  /** The target of a result that may take the place of an input which nothing else reads. */
  targetOver<Name extends string>(name: Name, input: Value, value: Value, images: number): Side<Name> {
    const place = this.values.get(input) as Place;
    const arena = this.#arenaOf(value);
    if (this.#readers[input.id] > 1 || arena === 'saved' || place.arena !== arena) {
      return this.target(name, value, images);
    }
    place.users++;
    this.values.set(value, place);
    return this.builder.side(name, place, value, images);
  }

  #arenaOf(value: Value): ArenaName {
    return this.#local.has(value) ? 'local' : this.#needed.has(value) ? 'saved' : 'scratch';
  }

  done(value: Value): void {
    this.#readers[value.id]--;
    if (this.#readers[value.id] === 0) this.builder.release(this.values.get(value) as Place);
  }

  /** What a kernel that writes `value` leaves for the batch norm that reads it, if one does. */
  sumsOf(value: Value, images: number): SumFields {
    if (!this.#normalized.has(value)) return NO_SUMS;
    const { layout } = value;
    const tasks = paddedBatch(this.options.batch) / images;
    const place = this.builder.place('constants', tasks * layout.channels * SUM_BYTES);
    this.sums.set(value, { place, images, tasks });
    return { ...NO_SUMS, sums: this.builder.at(place), nb: layout.nb, images: this.options.batch };
  }

  /** The ReLU of a value, and its signs where a gradient may be asked for. */
  relu(value: Value, images: number): Bits & { readonly relu: 0 | 1 } {
    if (!value.relu) return { relu: 0, ...NO_BITS };
    if (this.options.keep === 'nothing') return { relu: 1, ...NO_BITS };
    const { layout } = value;
    const place = this.builder.place('saved', this.builder.blocks(layout) * bitsBlock(layout));
    this.bits.set(value, place);
    return { relu: 1, bits: this.builder.at(place), bitsTask: Math.ceil(images / layout.nb) * bitsBlock(layout) };
  }
}
