// One execution of a plan: looks up addresses and hands the jobs to the threads.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Structure } from '../../core/structure.ts';
import { BATCH_NORM_EPSILON, type Program } from '../../ops/network.ts';
import type { EngineBackend } from '../backend.ts';
import { FullKernel } from '../blocked/full-convolution.ts';
import { addPartialSums, fullWeightGradient } from '../blocked/full-gradient.ts';
import { Compiled } from '../blocked/rows.ts';
import {
  addPartials,
  allocatePartials,
  fillWeights,
  type PartialGradients,
  weightGradient,
} from '../blocked/sparse-convolution.ts';
import { paddedBatch } from '../layout/layout.ts';
import type { Graph, NodeOf } from './graph.ts';
import { type Execution, type Field, type LightGradient, type Plan, type Step, value } from './plan.ts';

type ConvNode = NodeOf<'conv'>;

/** What a run reads and writes: tensors by name, addresses of the others. */
export interface RunInputs {
  readonly program: Program;
  readonly graph: Graph;
  /** Parameters and batch-norm statistics by name. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Structures of sparse kernels by name. */
  readonly structures: ReadonlyMap<string, Structure | null>;
  /** Base address of what is kept for the backward pass. */
  readonly saved: number;
  readonly images?: number;
  readonly logits?: number;
  readonly dLogits?: number;
  readonly dImages?: number;
  /** Addresses of the gradients that are asked for, by the parameter's name; those of probes apart. */
  readonly gradients?: ReadonlyMap<string, number>;
  readonly probes?: ReadonlyMap<string, number>;
}

/** One execution of a plan: resolves its fields and runs its steps. */
export class Run implements Execution {
  readonly bases = { saved: 0, scratch: 0, local: 0, constants: 0 };
  readonly images: number;
  readonly logits: number;
  readonly dLogits: number;
  readonly dImages: number;
  readonly #backend: EngineBackend;
  readonly #inputs: RunInputs;
  /** Rows of each sparse convolution, the kernel of each full one, and the address of the bias. */
  readonly #rows = new Map<ConvNode, Compiled>();
  readonly #full = new Map<ConvNode, FullKernel>();
  readonly #biases = new Map<ConvNode, number>();
  readonly #partials = new Map<ConvNode, PartialGradients>();
  readonly #allocated: number[] = [];

  constructor(backend: EngineBackend, inputs: RunInputs) {
    this.#backend = backend;
    this.#inputs = inputs;
    this.bases.saved = inputs.saved;
    this.images = inputs.images ?? 0;
    this.logits = inputs.logits ?? 0;
    this.dLogits = inputs.dLogits ?? 0;
    this.dImages = inputs.dImages ?? 0;
  }

  /** Runs the plan; `transposed` also prepares the kernels for input gradients. `after` still finds the plan's memory. */
  execute(plan: Plan, transposed: boolean, after: (run: Run) => void = () => {}): void {
    const { pool, heap, rows } = this.#backend;
    rows.pinning(() => {
      try {
        this.bases.scratch = this.#allocate(plan.scratchBytes);
        this.bases.local = this.#allocate(plan.localBytes * pool.threads);
        this.bases.constants = this.#allocate(plan.constantBytes);
        this.#prepareKernels(transposed);
        for (const step of plan.steps) this.#step(step);
        after(this);
      } finally {
        for (const pointer of this.#allocated) heap.free(pointer);
      }
    });
  }

  tensor(name: string): number {
    return this.#backend.pointer(this.#tensorInfo(name));
  }

  rows(node: ConvNode): Compiled {
    return this.#rows.get(node) as Compiled;
  }

  full(node: ConvNode): FullKernel {
    return this.#full.get(node) as FullKernel;
  }

  bias(node: ConvNode): number {
    return this.#biases.get(node) as number;
  }

  gradient(name: string): number | undefined {
    return this.#inputs.gradients?.get(name);
  }

  writeNormalization({ mean, std }: NodeOf<'normalize'>, scale: Field, shift: Field): void {
    const { heap } = this.#backend;
    heap.float32(value(scale, this), std.length).set(std.map((deviation) => 1 / deviation));
    heap.float32(value(shift, this), mean.length).set(mean.map((center, i) => -center / std[i]));
  }

  biasGradient({ name, geometry }: ConvNode, sums: Field, partCount: number): void {
    const dBeta = this.gradient(`${name}.bias`);
    if (dBeta === undefined) return;
    const channels = geometry.outputs;
    this.#backend.pool.run(1, 'gradientCoefficients', {
      sums: value(sums, this),
      partCount,
      count: 0,
      channels,
      chunk: channels,
      mean: 0,
      inverse: 0,
      gamma: 0,
      dGamma: 0,
      dBeta,
      a: 0,
      b: 0,
      c: 0,
    });
  }

  kernelGradients(node: ConvNode, batch: number, x: Field, d: Field): void {
    const name = `${node.name}.kernel`;
    const { geometry } = node;
    const addresses = [paddedBatch(batch), value(x, this), value(d, this)] as const;
    const gradient = this.gradient(name);
    const sparse = this.#rows.get(node);
    const all = this.#inputs.probes?.get(name) ?? (sparse ? undefined : gradient);
    if (sparse && gradient !== undefined) weightGradient(this.#backend, sparse, geometry, ...addresses, gradient);
    if (all !== undefined) {
      const full = FullKernel.of(this.#backend, this.#inputs.program, geometry, name);
      fullWeightGradient(this.#backend, full, geometry, ...addresses, all);
    }
  }

  partialGradients({ node, tasks }: LightGradient): PartialGradients {
    const found = this.#partials.get(node);
    if (found) return found;
    const made = allocatePartials(this.#backend, this.rows(node), tasks);
    this.#partials.set(node, made);
    this.#allocated.push(made.base);
    return made;
  }

  addPartialGradients({ node, tasks }: LightGradient): void {
    const gradient = this.gradient(`${node.name}.kernel`);
    if (gradient === undefined) return;
    addPartials(this.#backend, this.rows(node), this.partialGradients({ node, tasks }).partials, tasks, gradient);
  }

  addPartialSums({ node, tasks }: LightGradient, partials: Field): void {
    const gradient = this.gradient(`${node.name}.kernel`);
    if (gradient === undefined) return;
    addPartialSums(this.#backend.pool, node.geometry, value(partials, this), tasks, gradient);
  }

  #tensorInfo(name: string): TensorInfo {
    const info = this.#inputs.tensors.get(name);
    if (!info) throw new Error(`The network has no parameter or statistic '${name}'.`);
    return info;
  }

  #allocate(bytes: number): number {
    const pointer = this.#backend.heap.allocate(bytes);
    this.#allocated.push(pointer);
    return pointer;
  }

  #prepareKernels(transposed: boolean): void {
    this.#makeRows(transposed);
    for (const node of this.#inputs.graph.nodes) {
      if (node.kind !== 'conv') continue;
      const name = `${node.name}.kernel`;
      const scale = node.norm === null ? undefined : this.#foldNorm(node, node.norm);
      if (node.norm === null && node.bias) this.#biases.set(node, this.tensor(`${node.name}.bias`));
      const weights = { values: this.#tensorInfo(name), scale };
      const structure = this.#inputs.structures.get(name);
      if (structure) {
        const compiled = this.#backend.rows.get(structure, node.geometry, name);
        this.#rows.set(node, compiled);
        fillWeights(this.#backend, compiled, weights, transposed);
      } else {
        const kernel = FullKernel.of(this.#backend, this.#inputs.program, node.geometry, name);
        this.#full.set(node, kernel);
        kernel.fill(this.#backend, transposed ? 'transposed' : 'forward', weights);
      }
    }
  }

  /** The rows of all sparse kernels at once, each convolution's on a thread of its own. */
  #makeRows(transposed: boolean): void {
    const compiled = this.#inputs.graph.nodes.flatMap((node) => {
      if (node.kind !== 'conv') return [];
      const name = `${node.name}.kernel`;
      const structure = this.#inputs.structures.get(name);
      return structure ? [this.#backend.rows.get(structure, node.geometry, name)] : [];
    });
    Compiled.make(compiled, 'forward');
    if (transposed) Compiled.make(compiled, 'transposed');
  }

  /** scale = γ / √(variance + ε) for the weights, and the bias (bias − mean) · scale + β. */
  #foldNorm(node: ConvNode, norm: string): { pointer: number; key: object[] } {
    const { heap } = this.#backend;
    const channels = node.geometry.outputs;
    const read = (name: string): Float32Array => heap.float32(this.tensor(name), channels);
    const [gamma, beta, mean, variance] = [
      read(`${norm}.gamma`),
      read(`${norm}.beta`),
      read(`${norm}.moving_mean`),
      read(`${norm}.moving_variance`),
    ];
    const own = node.bias ? read(`${node.name}.bias`) : undefined;
    const pointer = this.#allocate(8 * channels);
    const scale = heap.float32(pointer, channels);
    const bias = heap.float32(pointer + 4 * channels, channels);
    for (let c = 0; c < channels; c++) {
      scale[c] = gamma[c] / Math.sqrt(variance[c] + BATCH_NORM_EPSILON);
      bias[c] = ((own?.[c] ?? 0) - mean[c]) * scale[c] + beta[c];
    }
    this.#biases.set(node, pointer + 4 * channels);
    const key = [`${norm}.gamma`, `${norm}.moving_variance`].map((name) => this.#tensorInfo(name).dataId);
    return { pointer, key };
  }

  #step(step: Step): void {
    if (step.kind === 'host') step.run(this);
    else this.#backend.pool.runFields(step.tasks, step.calls, this.#number);
  }

  readonly #number = (field: Field): number => value(field, this);
}
