// The state of planning a backward pass: where gradients lie, and how contributions add up.
import { bitsBlock, paddedBatch } from '../layout/layout.ts';
import { NO_SUMS, rowFields, SUM_BYTES } from '../records/fields.ts';
import { Arena } from './arena.ts';
import { Builder, type Place, type Side } from './builder.ts';
import { localGradients, type Passing, passingValues, pooledNorm } from './chains.ts';
import { type Bits, type Coefficients, NO_BITS, type Places, type SumFields, type Sums } from './forward-pass.ts';
import { type Graph, inputsOf, type Node, type NodeOf, type Value } from './graph.ts';
import type { Field, PlanOptions } from './plan.ts';

/** Gradients of the images, or of all parameters. */
export type Wants = 'images' | 'parameters';

/** One contribution to the gradient of a value. */
export interface Contribution {
  readonly place: Place;
  /** True if the place holds nothing else, so that it may be written over. */
  readonly owned: boolean;
  /** True if the value's ReLU has already been applied. */
  readonly masked: boolean;
  /** Images a task of the kernel that wrote it; who reads a local place must have as many. */
  readonly images?: number;
}

/** The gradient of what a max pooling made. */
export interface Pooled {
  readonly pool: NodeOf<'maxPool'>;
  readonly place: Place;
}

/** What a backward pass needs to know of the forward pass. */
export interface Passed {
  readonly options: PlanOptions;
  readonly graph: Graph;
  readonly places: Places;
}

/** What the nodes' backward passes share: the gradients that have come so far, and what is asked for. */
export class Backward {
  readonly options: PlanOptions;
  readonly wants: Wants;
  readonly builder: Builder;
  readonly places: Places;
  /** What the kernels that write gradients of batch norms' results leave for them. */
  readonly sums = new Map<Value, Sums>();
  /** Gradients of what max poolings made of a batch norm's result, which is the key. */
  readonly pooled = new Map<Value, Pooled>();
  readonly #graph: Graph;
  readonly #passing: ReadonlyMap<Value, Passing>;
  /** Values of folded layers whose gradients are written and read in one chain. */
  readonly #local: ReadonlySet<Value>;
  readonly #producers: ReadonlyMap<Value, Node>;
  /** Values whose gradients are needed, and nodes that have parameters. */
  readonly #needs: { readonly values: ReadonlySet<Value>; readonly nodes: ReadonlySet<Node> };
  readonly #contributions = new Map<Value, Contribution[]>();

  constructor({ options, graph, places }: Passed, wants: Wants) {
    this.options = options;
    this.wants = wants;
    this.builder = new Builder(options, new Arena());
    this.places = places;
    this.#graph = graph;
    this.#passing = passingValues(graph, options);
    this.#local = localGradients(graph, options);
    this.#producers = new Map(graph.nodes.flatMap((node) => (node.kind === 'output' ? [] : [[node.y, node] as const])));
    this.#needs = whatIsNeeded(graph, wants);
  }

  needs(value: Value): boolean {
    return this.#needs.values.has(value);
  }

  reaches(node: Node): boolean {
    return node.kind === 'input' || this.#needs.nodes.has(node) || inputsOf(node).some((x) => this.needs(x));
  }

  add(value: Value, contribution: Contribution): void {
    this.#contributions.set(value, [...(this.#contributions.get(value) ?? []), contribution]);
  }

  /** The gradient of a value, all contributions added; its ReLU applied if `mask`. Undefined if there is no contribution. */
  take(value: Value, mask: boolean): Contribution | undefined {
    const terms = this.#contributions.get(value);
    if (!terms) return undefined;
    this.#contributions.delete(value);
    const pending = mask && value.relu;
    let sum = terms[0];
    for (let i = 1; i < terms.length; i++) sum = this.#sum(value, sum, terms[i], pending && i === terms.length - 1);
    return pending && !sum.masked ? this.#sum(value, sum, null, true) : sum;
  }

  /** Makes the gradient in `place`, which others read too, a contribution to that of `value`. */
  share(value: Value, place: Place): void {
    if (!this.needs(value)) return;
    place.users++;
    this.add(value, { place, owned: false, masked: false });
  }

  /** Takes the first contribution to the gradient of `value`, if exactly one more will follow; else undefined. */
  before(value: Value): Contribution | undefined {
    const terms = this.#contributions.get(value);
    if (terms?.length !== 1 || this.#graph.consumers[value.id] !== 2) return undefined;
    this.#contributions.delete(value);
    return terms[0];
  }

  /** True if an op that writes the only contribution to the gradient of `value` should apply its ReLU. */
  masks(value: Value): boolean {
    return value.relu && this.only(value);
  }

  /** True if one node alone reads `value`. */
  only(value: Value): boolean {
    return this.#graph.consumers[value.id] === 1;
  }

  /** The batch norm that made a value, where layers run one after another. */
  normOf(value: Value): NodeOf<'batchNorm'> | undefined {
    const node = this.#producers.get(value);
    return this.options.norm === 'folded' || node?.kind !== 'batchNorm' ? undefined : node;
  }

  /** The batch norm whose result the max pooling that reads it computes itself. */
  pooledNorm(value: Value): NodeOf<'batchNorm'> | undefined {
    return pooledNorm(value, this.#passing);
  }

  /** Room for the gradient of `value`, which a kernel writes for so many images a task. */
  room(value: Value, images: number): Place {
    const { layout } = value;
    return this.#local.has(value) ? this.builder.localActivations(layout, images) : this.builder.activations(layout);
  }

  /** True if only the node that made `value` reads the gradient that the batch norm after it writes, in the chain that does. */
  passes(value: Value): boolean {
    const node = this.#producers.get(value);
    if (this.options.norm === 'folded') return this.#local.has(value);
    if (node?.kind !== 'conv' || this.#graph.consumers[value.id] !== 1) return false;
    return node.add === null && (this.wants === 'images' || this.options.light.has(node.name));
  }

  /** What a kernel leaves that writes the whole gradient of `value`, masked, for the batch norm which made it. */
  sumsOf(value: Value, images: number): SumFields {
    const norm = this.normOf(value);
    if (!norm) return NO_SUMS;
    const { nb } = value.layout;
    const sums = this.newSums(value, images);
    this.sums.set(value, sums);
    const { mean } = this.places.coefficients.get(norm) as Coefficients;
    const z = this.side('z', this.placeOf(norm.x), norm.x, images);
    return { sums: this.builder.at(sums.place), ...z, mean, nb, images: this.options.batch };
  }

  /** Room for the sums of a value's gradient. */
  newSums({ layout }: Value, images: number): Sums {
    const tasks = paddedBatch(this.options.batch) / images;
    return { place: this.builder.place('constants', tasks * layout.channels * SUM_BYTES), images, tasks };
  }

  /** A value's activations or their gradient as a side of a kernel. */
  side<Name extends string>(name: Name, place: Place, value: Value, images: number): Side<Name> {
    return this.builder.side(name, place, value, images);
  }

  /** Where the forward pass left a value. */
  placeOf(value: Value): Place {
    return this.places.values.get(value) as Place;
  }

  bits(value: Value, images: number): Bits {
    const { layout } = value;
    const place = this.places.bits.get(value) as Place;
    return { bits: this.builder.at(place), bitsTask: Math.ceil(images / layout.nb) * bitsBlock(layout) };
  }

  /**
   * The common case: an op with one input and one output, whose kernel reads the gradient of `y` at one side and writes
   * that of `x` at another.
   */
  through(
    { x, y }: { readonly x: Value; readonly y: Value },
    emit: (images: number, dx: Place, dy: Place) => void,
    masked = false,
  ): void {
    const d = this.take(y, true);
    if (!d) return;
    const images = this.builder.imagesFor(x.layout, y.layout);
    const place = this.room(x, images);
    emit(images, place, d.place);
    this.builder.release(d.place);
    this.add(x, { place, owned: true, masked });
  }

  /** Sums of each channel's gradient, and of its products with z − mean, over each task's images. */
  channelSums(
    value: Value,
    d: Place,
    images: number,
    { z, masked, mean }: { z: Place | null; masked: boolean; mean: Field },
  ): Sums {
    const { builder } = this;
    const sums = this.newSums(value, images);
    builder.emit(images, 'channelGradientSums', {
      ...this.side('d', d, value, images),
      ...(z ? this.side('z', z, value, images) : builder.noSide('z')),
      ...rowFields(value.layout, images),
      block: value.layout.block,
      ...(masked ? NO_BITS : this.bits(value, images)),
      mean,
      sums: builder.at(sums.place),
    });
    return sums;
  }

  #sum(value: Value, a: Contribution, b: Contribution | null, mask: boolean): Contribution {
    const { builder } = this;
    const { layout } = value;
    const images = a.images ?? builder.imagesFor(layout);
    const place = a.owned ? a.place : b?.owned ? b.place : this.room(value, images);
    builder.emit(images, 'combine', {
      ...this.side('a', a.place, value, images),
      ...(b ? this.side('b', b.place, value, images) : builder.noSide('b')),
      ...this.side('y', place, value, images),
      ...rowFields(layout, images),
      block: layout.block,
      pad: layout.padBytes,
      epilogue: mask ? 2 : 0,
      ...(mask ? this.bits(value, images) : NO_BITS),
    });
    for (const term of [a, b]) if (term && term.place !== place) builder.release(term.place);
    return { place, owned: true, masked: mask, images };
  }
}

/** What a backward pass must reach: for the images all values, else those above a parameter. */
function whatIsNeeded(graph: Graph, wants: Wants) {
  const values = new Set<Value>();
  const nodes = new Set<Node>();
  for (const node of graph.nodes) {
    const below = inputsOf(node).some((x) => values.has(x));
    if (node.kind === 'output') {
      if (below) nodes.add(node);
      continue;
    }
    const hasParameters = wants === 'parameters' && (node.kind === 'conv' || node.kind === 'batchNorm');
    if (hasParameters) nodes.add(node);
    if (hasParameters || below || (wants === 'images' && node.kind === 'input')) values.add(node.y);
  }
  return { values, nodes };
}
