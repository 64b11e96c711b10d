import { ZEROS } from '../control.ts';
import { asTarget, blockedFields, flatFields, plainFields, poolFields, rowFields } from '../fields.ts';
import { bitsBlock, type Layout, paddedBatch, SUPER_BLOCK } from '../layout.ts';
import type { Fields, KernelName } from '../records.ts';
import { Arena } from './arena.ts';
import { type Graph, inputsOf, type Node, type Value } from './graph.ts';
import type { Run } from './run.ts';

type ConvNode = Extract<Node, { kind: 'conv' }>;
type NormNode = Extract<Node, { kind: 'batchNorm' }>;
type AffineNode = NormNode | Extract<Node, { kind: 'normalize' }>;

/** A number that is known when the plan is made, or when it runs. */
export type Field = number | ((run: Run) => number);
type PlannedFields<Name extends KernelName> = { readonly [F in keyof Fields<Name>]: Field };

export interface PlannedCall {
  readonly kernel: KernelName;
  readonly fields: Readonly<Record<string, Field>>;
}

/** A job for the pool, or something that the main thread does between jobs. */
export type Step =
  | { readonly kind: 'job'; readonly tasks: number; readonly calls: readonly PlannedCall[] }
  | { readonly kind: 'host'; readonly run: (run: Run) => void };

export interface PlanOptions {
  readonly batch: number;
  /**
   * How batch norm gets its statistics, and how the network runs. `folded`: running statistics folded into weights; each
   * super-block of images goes through the whole network on one thread, in scratch memory of that thread. `batch` and
   * `running`: one layer after another over the whole batch.
   */
  readonly norm: 'folded' | 'batch' | 'running';
  /** What a backward pass may be asked for. */
  readonly keep: 'nothing' | 'images' | 'parameters';
}

/** Memory that a plan needs: kept for the backward pass, and for its own run (for each thread where `perThread`). */
export interface Plan {
  readonly steps: readonly Step[];
  readonly scratchBytes: number;
  readonly constantBytes: number;
  readonly perThread: boolean;
}

export interface ForwardPlan extends Plan {
  readonly options: PlanOptions;
  readonly graph: Graph;
  readonly savedBytes: number;
  /** Batch-norm layers in order of execution and where their batch statistics are. */
  readonly statistics: readonly {
    readonly name: string;
    readonly channels: number;
    readonly mean: Field;
    readonly variance: Field;
  }[];
  readonly places: Places;
}

type ArenaName = 'saved' | 'scratch' | 'constants';

/** Some bytes in one of the arenas, freed when the last user lets go. */
interface Place {
  readonly arena: ArenaName;
  readonly offset: number;
  readonly bytes: number;
  /** From the place's first byte to what it holds: zero columns lie before the first block. */
  readonly lead: number;
  users: number;
}

/** Where a forward pass left what the backward pass needs, by value. */
interface Places {
  readonly values: ReadonlyMap<Value, Place>;
  readonly bits: ReadonlyMap<Value, Place>;
  readonly choices: ReadonlyMap<Node, Place>;
  readonly coefficients: ReadonlyMap<Node, Coefficients>;
}

/** Per-channel numbers of a batch-norm or normalisation layer. */
interface Coefficients {
  readonly mean: Field;
  readonly variance: Field;
  readonly inverse: Field;
  readonly scale: Field;
  readonly shift: Field;
}

/** Channels that one task of a per-channel kernel takes. */
const CHANNEL_CHUNK = 32;
const channelTasks = (channels: number): number => Math.ceil(channels / CHANNEL_CHUNK);

const guard = ({ padBytes }: Layout): number => Math.ceil(padBytes / 128) * 128;

/** Collects steps and hands out memory; what forward and backward passes share. */
class Builder {
  readonly batch: number;
  readonly chain: boolean;
  readonly superBlocks: number;
  readonly scratch = new Arena();
  readonly constants = new Arena();
  readonly saved: Arena;
  readonly steps: Step[] = [];
  #calls: PlannedCall[] = [];
  #images = 0;
  /** Steps that follow the current one, and places that are free after them. */
  #deferred: Step[] = [];
  #released: Place[] = [];

  constructor({ batch, norm }: PlanOptions, saved: Arena) {
    this.batch = batch;
    this.chain = norm === 'folded';
    this.superBlocks = paddedBatch(batch) / SUPER_BLOCK;
    this.saved = saved;
  }

  /**
   * Images a task of an op between these layouts; tasks of consecutive ops with the same number form a chain. A batch of
   * less than a super-block takes only the blocks that it fills: what lies in the others never meets its images.
   */
  imagesFor(...layouts: readonly Layout[]): number {
    const nb = Math.max(...layouts.map((of) => of.nb));
    if (!this.chain) return nb;
    return this.superBlocks > 1 ? SUPER_BLOCK : Math.ceil(this.batch / nb) * nb;
  }

  /** Adds a kernel that reads, of what the ops before it wrote, only its own task's images. */
  emit<Name extends KernelName>(images: number, kernel: Name, fields: PlannedFields<Name>): void {
    if (this.#images !== images && !this.chain) this.barrier();
    this.#images = images;
    this.#calls.push({ kernel, fields: fields as Readonly<Record<string, Field>> });
  }

  /** Adds a kernel that needs all that came before. */
  emitAlone<Name extends KernelName>(tasks: number, kernel: Name, fields: PlannedFields<Name>): void {
    this.barrier();
    this.steps.push({ kind: 'job', tasks, calls: [{ kernel, fields: fields as Readonly<Record<string, Field>> }] });
  }

  /** Adds what the main thread does after the current chain and before the next; its places stay until then. */
  defer(run: (run: Run) => void): void {
    this.#deferred.push({ kind: 'host', run });
  }

  /** Ends the current chain. */
  barrier(): void {
    if (this.#calls.length > 0) {
      const tasks = this.chain ? this.superBlocks : paddedBatch(this.batch) / this.#images;
      this.steps.push({ kind: 'job', tasks, calls: this.#calls });
    }
    this.steps.push(...this.#deferred);
    this.#calls = [];
    this.#deferred = [];
    this.#images = 0;
    for (const place of this.#released) this.#freeNow(place);
    this.#released = [];
  }

  place(arena: ArenaName, bytes: number, lead = 0): Place {
    const total = lead + bytes;
    return { arena, offset: this.#arena(arena).allocate(total), bytes: total, lead, users: 1 };
  }

  /** Room for one value's activations: of the whole batch, or of one super-block for each thread. */
  activations(of: Layout, arena: ArenaName = 'scratch'): Place {
    const blocks = (this.chain && arena === 'scratch' ? SUPER_BLOCK : paddedBatch(this.batch)) / of.nb;
    return this.place(arena, blocks * of.block, guard(of));
  }

  release(place: Place): void {
    place.users--;
    if (place.users > 0 || place.arena === 'saved') return;
    // Within a chain of one thread what is free can be used at once; else another task may still read it.
    if (this.chain) this.#freeNow(place);
    else this.#released.push(place);
  }

  /** A place's address. */
  at({ arena, offset, lead }: Place): Field {
    return (run) => run.bases[arena] + offset + lead;
  }

  /** The distance between the parts of two tasks of `images` images each. */
  step(place: Place, images: number, nb: number, block: number): Field {
    if (this.chain && place.arena === 'scratch') return () => -this.scratch.size;
    return (images / nb) * block;
  }

  #arena(name: ArenaName): Arena {
    return name === 'saved' ? this.saved : name === 'scratch' ? this.scratch : this.constants;
  }

  #freeNow(place: Place): void {
    this.#arena(place.arena).free(place.offset, place.bytes);
  }
}

/** More than 3 % nonzeros on rows of several tiles: x stays in the first-level cache while all channels read it. */
const channelMajor =
  (node: ConvNode, direction: 'forward' | 'transposed'): Field =>
  (run) => {
    const { x, y } = node.geometry;
    const { tiles } = direction === 'forward' ? y : x;
    const { nonzeros, size } = run.rows(node);
    return tiles > 1 && nonzeros > 0.03 * size ? 0 : 1;
  };

const noBits = { bits: 0, bitsTask: 0 };

export function planForward(graph: Graph, options: PlanOptions): ForwardPlan {
  const { batch, norm, keep } = options;
  const saved = new Arena();
  const builder = new Builder(options, saved);
  const { chain } = builder;
  const values = new Map<Value, Place>();
  const bits = new Map<Value, Place>();
  const choices = new Map<Node, Place>();
  const coefficients = new Map<Node, Coefficients>();
  const statistics: ForwardPlan['statistics'][number][] = [];
  const readers = [...graph.consumers];
  const persistent: ArenaName = keep === 'nothing' ? 'constants' : 'saved';

  /** Inputs of convolutions and batch norms are needed for the gradients of their parameters. */
  const needed = new Set(
    keep === 'parameters' ? graph.nodes.flatMap((n) => (n.kind === 'conv' || n.kind === 'batchNorm' ? [n.x] : [])) : [],
  );
  const make = (value: Value): Place => {
    const place = builder.activations(value.layout, needed.has(value) ? 'saved' : 'scratch');
    values.set(value, place);
    return place;
  };
  /** For a result that may take the place of an input which no one else reads. */
  const makeOver = (input: Value, value: Value): Place => {
    const place = values.get(input) as Place;
    if (readers[input.id] > 1 || needed.has(value) || place.arena !== 'scratch') return make(value);
    place.users++;
    values.set(value, place);
    return place;
  };
  const read = (value: Value): Place => values.get(value) as Place;
  const done = (value: Value): void => {
    readers[value.id]--;
    if (readers[value.id] === 0) builder.release(read(value));
  };
  const source = (value: Value, images: number) => ({
    x: builder.at(read(value)),
    xTask: builder.step(read(value), images, value.layout.nb, value.layout.block),
  });
  const target = (value: Value, place: Place, images: number) => ({
    y: builder.at(place),
    yTask: builder.step(place, images, value.layout.nb, value.layout.block),
  });
  /** ReLU, and its signs where a gradient may be asked for. */
  const reluFields = (value: Value, images: number): { relu: 0 | 1; bits: Field; bitsTask: Field } => {
    if (!value.relu) return { relu: 0, ...noBits };
    if (keep === 'nothing') return { relu: 1, ...noBits };
    const block = bitsBlock(value.layout);
    const place = builder.place('saved', (paddedBatch(batch) / value.layout.nb) * block);
    bits.set(value, place);
    return { relu: 1, bits: builder.at(place), bitsTask: (images / value.layout.nb) * block };
  };
  const floats = (length: number): Field => builder.at(builder.place(persistent, 4 * length));

  const affine = (node: AffineNode, { scale, shift }: Coefficients): void => {
    const { x, y } = node;
    const images = builder.imagesFor(x.layout);
    const from = source(x, images);
    const place = makeOver(x, y);
    builder.emit(images, 'affine', {
      ...from,
      ...target(y, place, images),
      ...rowFields(y.layout, images),
      block: y.layout.block,
      pad: y.layout.padBytes,
      scale,
      shift,
      ...reluFields(y, images),
    });
    done(x);
  };

  for (const node of graph.nodes) {
    switch (node.kind) {
      case 'input': {
        const { y } = node;
        const images = builder.imagesFor(y.layout);
        const { height, width, channels, pad } = y.layout;
        builder.emit(images, 'repack', {
          x: (run) => run.images,
          xTask: images * height * width * channels * 4,
          ...plainFields(y.layout),
          ...target(y, make(y), images),
          ...blockedFields('y', y.layout),
          images,
          batch,
          rows: height,
          channels,
          width,
          planes: 1,
          columns: width + pad,
          interleaved: 0,
          pad: y.layout.padBytes,
        });
        break;
      }
      case 'conv': {
        const { x, y } = node;
        const images = builder.imagesFor(x.layout, y.layout);
        const from = source(x, images);
        const { relu, ...signs } = reluFields(y, images);
        const { row: yRow, channel: yChannel, ...rows } = rowFields(y.layout, images);
        const biased = node.bias || node.norm !== null;
        builder.emit(images, 'convolve', {
          ...from,
          xBlock: x.layout.block,
          ...target(y, make(y), images),
          yBlock: y.layout.block,
          ...rows,
          yRow,
          yChannel,
          pad: y.layout.padBytes,
          slices: (run) => run.rows(node).forward.slices,
          groups: (run) => run.rows(node).forward.groups,
          pointers: (run) => run.rows(node).forward.pointers,
          records: (run) => run.rows(node).forward.records,
          rowTable: (run) => run.rows(node).forward.rowTable,
          bias: biased ? (run) => run.bias(node) : ZEROS,
          biasStep: biased ? 4 : 0,
          epilogue: relu,
          ...signs,
          channelMajor: channelMajor(node, 'forward'),
        });
        done(x);
        break;
      }
      case 'normalize': {
        const { channels } = node.x.layout;
        const [scale, shift] = [floats(channels), floats(channels)];
        builder.steps.unshift({ kind: 'host', run: (run) => run.writeNormalization(node, scale, shift) });
        affine(node, { scale, shift, mean: 0, variance: 0, inverse: 0 });
        coefficients.set(node, { scale, shift, mean: 0, variance: 0, inverse: 0 });
        break;
      }
      case 'batchNorm': {
        const { name, x } = node;
        const { channels } = x.layout;
        const parameter =
          (suffix: string): Field =>
          (run) =>
            run.tensor(`${name}.${suffix}`);
        const ofBatch = norm === 'batch';
        const numbers: Coefficients = {
          mean: ofBatch ? floats(channels) : parameter('moving_mean'),
          variance: ofBatch ? floats(channels) : parameter('moving_variance'),
          inverse: floats(channels),
          scale: floats(channels),
          shift: floats(channels),
        };
        coefficients.set(node, numbers);
        let parts: Field = 0;
        let imagesPerPart = SUPER_BLOCK;
        if (ofBatch) {
          statistics.push({ name, channels, mean: numbers.mean, variance: numbers.variance });
          imagesPerPart = builder.imagesFor(x.layout);
          const place = builder.place('constants', (paddedBatch(batch) / imagesPerPart) * channels * 16);
          parts = builder.at(place);
          const { row: xRow, channel: xChannel, ...rows } = rowFields(x.layout, imagesPerPart);
          builder.emit(imagesPerPart, 'channelStatistics', {
            ...source(x, imagesPerPart),
            xBlock: x.layout.block,
            xRow,
            xChannel,
            ...rows,
            nb: x.layout.nb,
            images: batch,
            parts,
          });
        }
        const coefficientFields: PlannedFields<'normalizationCoefficients'> = {
          parts,
          partCount: paddedBatch(batch) / imagesPerPart,
          imagesPerPart,
          images: batch,
          area: x.layout.height * x.layout.width,
          channels,
          chunk: CHANNEL_CHUNK,
          gamma: parameter('gamma'),
          beta: parameter('beta'),
          ...numbers,
        };
        // In a chain the numbers must be there before it starts.
        const call = { kernel: 'normalizationCoefficients' as const, fields: coefficientFields };
        if (chain) builder.steps.unshift({ kind: 'job', tasks: channelTasks(channels), calls: [call] });
        else builder.emitAlone(channelTasks(channels), call.kernel, call.fields);
        affine(node, numbers);
        break;
      }
      case 'combine': {
        const { a, b, y } = node;
        const images = builder.imagesFor(y.layout);
        const first = source(a, images);
        const second = b ? source(b, images) : { x: 0, xTask: 0 };
        const place = makeOver(a, y);
        const { relu, ...signs } = reluFields(y, images);
        builder.emit(images, 'combine', {
          a: first.x,
          aTask: first.xTask,
          b: second.x,
          bTask: second.xTask,
          ...target(y, place, images),
          ...rowFields(y.layout, images),
          block: y.layout.block,
          pad: y.layout.padBytes,
          epilogue: relu,
          ...signs,
        });
        done(a);
        if (b) done(b);
        break;
      }
      case 'maxPool': {
        const { x, y, size } = node;
        const images = builder.imagesFor(x.layout, y.layout);
        const from = source(x, images);
        let choice: Field = 0;
        const perImage = y.layout.height * y.layout.channels * y.layout.width;
        if (keep !== 'nothing') {
          const place = builder.place('saved', paddedBatch(batch) * perImage);
          choices.set(node, place);
          choice = builder.at(place);
        }
        builder.emit(images, 'maxPool', {
          ...from,
          ...target(y, make(y), images),
          ...poolFields(x.layout, y.layout, images),
          size,
          pad: y.layout.padBytes,
          choices: choice,
          choicesTask: images * perImage,
          relu: x.relu ? 1 : 0,
        });
        done(x);
        break;
      }
      case 'averagePool': {
        const { x, y } = node;
        const images = builder.imagesFor(x.layout, y.layout);
        const { yRow: _, ...fields } = poolFields(x.layout, y.layout, images);
        builder.emit(images, 'averagePool', { ...source(x, images), ...target(y, make(y), images), ...fields, pad: 0 });
        done(x);
        break;
      }
      case 'repack': {
        const { x, y } = node;
        const images = builder.imagesFor(x.layout, y.layout);
        builder.emit(images, 'repack', {
          ...source(x, images),
          ...blockedFields('x', x.layout, node.form === 'planes' ? node.planes : 1),
          ...target(y, make(y), images),
          ...(node.form === 'flatten' ? flatFields('y', x.layout, y.layout) : blockedFields('y', y.layout)),
          ...(node.form === 'planes' ? { yPlane: x.layout.channels * y.layout.channel } : {}),
          images,
          batch,
          rows: x.layout.height,
          channels: x.layout.channels,
          width: x.layout.width,
          planes: node.planes,
          columns: node.form === 'flatten' ? x.layout.width : y.layout.width + y.layout.pad,
          interleaved: 0,
          pad: y.layout.padBytes,
        });
        done(x);
        break;
      }
      case 'output': {
        const { x } = node;
        const images = builder.imagesFor(x.layout);
        builder.emit(images, 'repack', {
          ...source(x, images),
          ...blockedFields('x', x.layout),
          y: (run) => run.logits,
          yTask: images * x.layout.channels * 4,
          ...asTarget(plainFields(x.layout)),
          images,
          batch,
          rows: 1,
          channels: x.layout.channels,
          width: 1,
          planes: 1,
          columns: 1,
          interleaved: 0,
          pad: 0,
        });
        done(x);
        break;
      }
      default:
        node satisfies never;
    }
  }
  builder.barrier();
  return {
    options,
    graph,
    steps: builder.steps,
    savedBytes: saved.size,
    scratchBytes: builder.scratch.size,
    constantBytes: builder.constants.size,
    perThread: chain,
    statistics,
    places: { values, bits, choices, coefficients },
  };
}

/** One contribution to the gradient of a value. */
interface Contribution {
  readonly place: Place;
  /** Whether the place holds nothing else, so that it may be written over. */
  readonly owned: boolean;
  /** Whether the value's ReLU has already been applied. */
  readonly masked: boolean;
}

export function planBackward(forward: ForwardPlan, wants: 'images' | 'parameters'): Plan {
  const { graph, options, places } = forward;
  const { batch, norm } = options;
  const builder = new Builder(options, new Arena());
  const { chain } = builder;
  const contributions = new Map<Value, Contribution[]>();
  const needs = valuesToDifferentiate(graph, wants);
  const parameters = wants === 'parameters';

  const add = (value: Value, contribution: Contribution): void => {
    contributions.set(value, [...(contributions.get(value) ?? []), contribution]);
  };
  const part = (place: Place, { layout }: Value, images: number) =>
    [builder.at(place), builder.step(place, images, layout.nb, layout.block)] as const;
  const bitsOf = (value: Value, images: number): { bits: Field; bitsTask: Field } => ({
    bits: builder.at(places.bits.get(value) as Place),
    bitsTask: (images / value.layout.nb) * bitsBlock(value.layout),
  });
  const combine = (value: Value, a: Contribution, b: Contribution | null, mask: boolean): Contribution => {
    const images = builder.imagesFor(value.layout);
    const place = a.owned ? a.place : b?.owned ? b.place : builder.activations(value.layout);
    const [aAt, aTask] = part(a.place, value, images);
    const [bAt, bTask] = b ? part(b.place, value, images) : [0, 0];
    const [y, yTask] = part(place, value, images);
    builder.emit(images, 'combine', {
      ...{ a: aAt, aTask, b: bAt, bTask, y, yTask },
      ...rowFields(value.layout, images),
      block: value.layout.block,
      pad: value.layout.padBytes,
      epilogue: mask ? 2 : 0,
      ...(mask ? bitsOf(value, images) : noBits),
    });
    for (const term of [a, b]) if (term && term.place !== place) builder.release(term.place);
    return { place, owned: true, masked: mask };
  };
  /** The gradient of a value, all contributions added; its ReLU applied if `mask`. Undefined where none came. */
  const take = (value: Value, mask: boolean): Contribution | undefined => {
    const terms = contributions.get(value);
    if (!terms) return undefined;
    contributions.delete(value);
    const pending = mask && value.relu;
    let sum = terms[0];
    for (let i = 1; i < terms.length; i++) sum = combine(value, sum, terms[i], pending && i === terms.length - 1);
    return pending && !sum.masked ? combine(value, sum, null, true) : sum;
  };
  /** Whether an op that writes the only contribution to the gradient of `value` should apply its ReLU. */
  const masks = (value: Value): boolean => value.relu && graph.consumers[value.id] === 1;

  const sums = (
    value: Value,
    d: Place,
    images: number,
    z: Place | null,
    masked: boolean,
    numbers?: Coefficients,
  ): Field => {
    const { channels } = value.layout;
    const parts = builder.at(builder.place('constants', (paddedBatch(batch) / images) * channels * 16));
    const [dAt, dTask] = part(d, value, images);
    const [zAt, zTask] = z ? part(z, value, images) : [0, 0];
    builder.emit(images, 'channelGradientSums', {
      ...{ d: dAt, dTask, z: zAt, zTask },
      ...rowFields(value.layout, images),
      block: value.layout.block,
      ...(masked ? noBits : bitsOf(value, images)),
      mean: numbers?.mean ?? 0,
      inverse: numbers?.inverse ?? 0,
      parts,
    });
    return parts;
  };

  for (const node of [...graph.nodes].reverse()) {
    if (node.kind !== 'input' && !inputsOf(node).some((x) => needs.inputs.has(x)) && !needs.nodes.has(node)) continue;
    switch (node.kind) {
      case 'output': {
        const { x } = node;
        const images = builder.imagesFor(x.layout);
        const place = builder.activations(x.layout);
        const [y, yTask] = part(place, x, images);
        builder.emit(images, 'repack', {
          x: (run) => run.dLogits,
          xTask: images * x.layout.channels * 4,
          ...plainFields(x.layout),
          y,
          yTask,
          ...blockedFields('y', x.layout),
          images,
          batch,
          rows: 1,
          channels: x.layout.channels,
          width: 1,
          planes: 1,
          columns: 1,
          interleaved: 0,
          pad: 0,
        });
        add(x, { place, owned: true, masked: false });
        break;
      }
      case 'conv': {
        const { x, y } = node;
        const d = take(y, true);
        if (!d) break;
        const images = builder.imagesFor(x.layout, y.layout);
        const [dAt, dTask] = part(d.place, y, images);
        if (needs.inputs.has(x)) {
          const place = builder.activations(x.layout);
          const [dx, dxTask] = part(place, x, images);
          const masked = masks(x);
          const { row: yRow, channel: yChannel, ...rows } = rowFields(x.layout, images);
          builder.emit(images, 'convolve', {
            ...{ x: dAt, xTask: dTask, y: dx, yTask: dxTask },
            xBlock: y.layout.block,
            yBlock: x.layout.block,
            ...rows,
            yRow,
            yChannel,
            pad: x.layout.padBytes,
            slices: (run) => run.rows(node).transposed.slices,
            groups: (run) => run.rows(node).transposed.groups,
            pointers: (run) => run.rows(node).transposed.pointers,
            records: (run) => run.rows(node).transposed.records,
            rowTable: (run) => run.rows(node).transposed.rowTable,
            bias: ZEROS,
            biasStep: 0,
            epilogue: masked ? 2 : 0,
            ...(masked ? bitsOf(x, images) : noBits),
            channelMajor: channelMajor(node, 'transposed'),
          });
          add(x, { place, owned: true, masked });
        }
        if (parameters) {
          if (node.bias) {
            const biasParts = sums(y, d.place, images, null, true);
            builder.defer((run) => run.biasGradient(node, biasParts, paddedBatch(batch) / images));
          }
          const xAt = builder.at(places.values.get(x) as Place);
          builder.defer((run) => run.kernelGradients(node, batch, xAt, dAt));
        }
        builder.release(d.place);
        break;
      }
      case 'batchNorm':
      case 'normalize': {
        const { x, y } = node;
        const numbers = places.coefficients.get(node) as Coefficients;
        const d = take(y, false);
        if (!d) break;
        const images = builder.imagesFor(x.layout);
        const { channels, height, width } = x.layout;
        const learns = node.kind === 'batchNorm' && (parameters || norm === 'batch');
        const z = places.values.get(x) ?? null;
        let [a, b, c]: Field[] = [numbers.scale, 0, 0];
        if (node.kind === 'batchNorm' && learns) {
          const parts = sums(y, d.place, images, z, d.masked || !y.relu, numbers);
          const floats = (): Field => builder.at(builder.place('constants', 4 * channels));
          [a, b, c] = [floats(), floats(), floats()];
          const unused = floats();
          const gradient =
            (suffix: string): Field =>
            (run) =>
              run.gradient(`${node.name}.${suffix}`) ?? value(unused, run);
          builder.emitAlone(channelTasks(channels), 'gradientCoefficients', {
            parts,
            partCount: paddedBatch(batch) / images,
            count: norm === 'batch' ? batch * height * width : 0,
            channels,
            chunk: CHANNEL_CHUNK,
            mean: numbers.mean,
            inverse: numbers.inverse,
            gamma: (run) => run.tensor(`${node.name}.gamma`),
            dGamma: gradient('gamma'),
            dBeta: gradient('beta'),
            ...{ a, b, c },
          });
        }
        if (needs.inputs.has(x)) {
          const place = d.owned ? d.place : builder.activations(x.layout);
          const [dAt, dTask] = part(d.place, y, images);
          const [dx, dxTask] = part(place, x, images);
          const constant = b === 0 || z === null;
          const [zAt, zTask] = constant ? [0, 0] : part(z, x, images);
          builder.emit(images, 'affineGradient', {
            ...{ d: dAt, dTask, z: zAt, zTask, y: dx, yTask: dxTask },
            ...rowFields(x.layout, images),
            block: x.layout.block,
            pad: x.layout.padBytes,
            nb: x.layout.nb,
            images: batch,
            ...(y.relu && !d.masked ? bitsOf(y, images) : noBits),
            ...{ a, b, c },
          });
          add(x, { place, owned: true, masked: false });
          if (place !== d.place) builder.release(d.place);
        } else {
          builder.release(d.place);
        }
        break;
      }
      case 'combine': {
        const { a, b, y } = node;
        const d = take(y, true);
        if (!d) break;
        const terms = [a, b].filter((term): term is Value => term !== null && needs.inputs.has(term));
        d.place.users += terms.length - 1;
        for (const term of terms) add(term, { place: d.place, owned: d.owned && terms.length === 1, masked: false });
        break;
      }
      case 'maxPool': {
        const { x, y, size } = node;
        const d = take(y, true);
        if (!d) break;
        const images = builder.imagesFor(x.layout, y.layout);
        const place = builder.activations(x.layout);
        const [dx, dxTask] = part(place, x, images);
        const [dAt, dTask] = part(d.place, y, images);
        builder.emit(images, 'maxPoolGradient', {
          ...{ x: dx, xTask: dxTask, y: dAt, yTask: dTask },
          ...poolFields(x.layout, y.layout, images),
          size,
          pad: x.layout.padBytes,
          choices: builder.at(places.choices.get(node) as Place),
          choicesTask: images * y.layout.height * y.layout.channels * y.layout.width,
          relu: 0,
        });
        builder.release(d.place);
        add(x, { place, owned: true, masked: x.relu });
        break;
      }
      case 'averagePool': {
        const { x, y } = node;
        const d = take(y, true);
        if (!d) break;
        const images = builder.imagesFor(x.layout, y.layout);
        const place = builder.activations(x.layout);
        const [dx, dxTask] = part(place, x, images);
        const [dAt, dTask] = part(d.place, y, images);
        const { yRow: _, ...fields } = poolFields(x.layout, y.layout, images);
        builder.emit(images, 'averagePoolGradient', {
          ...{ x: dx, xTask: dxTask, y: dAt, yTask: dTask },
          ...fields,
          pad: x.layout.padBytes,
        });
        builder.release(d.place);
        add(x, { place, owned: true, masked: false });
        break;
      }
      case 'repack': {
        const { x, y } = node;
        const d = take(y, true);
        if (!d) break;
        const images = builder.imagesFor(x.layout, y.layout);
        const place = builder.activations(x.layout);
        const [dx, dxTask] = part(place, x, images);
        const [dAt, dTask] = part(d.place, y, images);
        builder.emit(images, 'repack', {
          ...{ x: dAt, xTask: dTask, y: dx, yTask: dxTask },
          ...(node.form === 'flatten' ? flatFields('x', x.layout, y.layout) : blockedFields('x', y.layout)),
          ...(node.form === 'planes' ? { xPlane: x.layout.channels * y.layout.channel } : {}),
          ...blockedFields('y', x.layout, node.form === 'planes' ? node.planes : 1),
          images,
          batch,
          rows: x.layout.height,
          channels: x.layout.channels,
          width: x.layout.width,
          planes: node.planes,
          columns: x.layout.width + x.layout.pad,
          interleaved: 1,
          pad: x.layout.padBytes,
        });
        builder.release(d.place);
        add(x, { place, owned: true, masked: false });
        break;
      }
      case 'input': {
        const { y } = node;
        if (wants !== 'images') break;
        const d = take(y, true);
        if (!d) break;
        const images = builder.imagesFor(y.layout);
        const { height, width, channels } = y.layout;
        const [dAt, dTask] = part(d.place, y, images);
        builder.emit(images, 'repack', {
          x: dAt,
          xTask: dTask,
          ...blockedFields('x', y.layout),
          y: (run) => run.dImages,
          yTask: images * height * width * channels * 4,
          ...asTarget(plainFields(y.layout)),
          images,
          batch,
          rows: height,
          channels,
          width,
          planes: 1,
          columns: width,
          interleaved: 0,
          pad: 0,
        });
        builder.release(d.place);
        break;
      }
      default:
        node satisfies never;
    }
  }
  builder.barrier();
  return {
    steps: builder.steps,
    scratchBytes: builder.scratch.size,
    constantBytes: builder.constants.size,
    perThread: chain,
  };
}

/** A field's number in a run. */
export const value = (field: Field, run: Run): number => (typeof field === 'number' ? field : field(run));

/** Values and nodes that a backward pass must reach: for the images all of them, else what lies above parameters. */
function valuesToDifferentiate(graph: Graph, wants: 'images' | 'parameters') {
  const inputs = new Set<Value>();
  const nodes = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.kind === 'output') {
      if (inputsOf(node).some((x) => inputs.has(x))) nodes.add(node);
      continue;
    }
    const hasParameters = wants === 'parameters' && (node.kind === 'conv' || node.kind === 'batchNorm');
    if (hasParameters) nodes.add(node);
    if (hasParameters || (wants === 'images' && node.kind === 'input') || inputsOf(node).some((x) => inputs.has(x))) {
      inputs.add(node.y);
    }
  }
  return { inputs, nodes };
}
