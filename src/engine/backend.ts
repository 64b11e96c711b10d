// The TensorFlow.js backend of the engine: where tensors lie, and when they are copied.
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { type DataType, engine, type TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../core/structure.ts';
import { RowsCache } from './blocked/rows.ts';
import {
  type Blocks,
  copyImages,
  type Form,
  formBytes,
  leadBytes,
  type Place,
  sameForm,
  sameImages,
} from './layout/blocks.ts';
import type { Heap } from './runtime/heap.ts';
import type { Pool } from './runtime/pool.ts';
import { type KernelBuild, TILES } from './runtime/wasm.ts';

type Values = Parameters<MathBackendCPU['write']>[0];
type DataId = TensorInfo['dataId'];
/** The types of tensors that can lie in the heap. */
export type HeapType = 'float32' | 'int32' | 'bool';

const BYTES = { float32: 4, int32: 4, bool: 1 } as const satisfies Record<HeapType, number>;

/** What the reference backend keeps for a tensor, and where it lies in the heap, if it does. */
interface TensorData {
  values?: Values;
  readonly dtype: DataType;
  refCount: number;
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
  pointer?: number;
  /** Frees what the tensor stands for, if that is not its place in the heap. */
  release?: () => void;
  /** Where the values lie in blocks; several places where several forms of them were asked for. */
  blocks?: Blocks[];
  /** The form that the tensor was made in, if it was made in blocks. */
  readonly form?: Form;
}

const shared = (values: Values | undefined): boolean =>
  ArrayBuffer.isView(values) && values.buffer instanceof SharedArrayBuffer;

/** A copy that no later use of the heap changes. */
const unshared = (values: Values): Values => (shared(values) ? (values as Float32Array).slice() : values);

/**
 * TensorFlow.js's reference backend, its tensors where the kernels are ours in shared memory. Every op works: one that
 * has no kernel of ours runs the reference kernel, which reads our tensors in place, since their `values` are views of
 * the heap.
 */
export class EngineBackend extends MathBackendCPU {
  readonly heap: Heap;
  pool: Pool;
  build: KernelBuild;
  /** Structures as the kernels read them. */
  readonly rows: RowsCache;
  /** Tensors that the current kernel has made. */
  #made: DataId[] | undefined;
  /** Blocks that can be done without, for their values lie elsewhere too; the least recently used first. */
  readonly #copies = new Map<Blocks, TensorData>();
  /** Blocks that the current kernel works on. */
  readonly #pinned = new Set<Blocks>();

  constructor(heap: Heap, pool: Pool, build: KernelBuild) {
    super();
    this.heap = heap;
    this.pool = pool;
    this.build = build;
    this.rows = new RowsCache(heap, (tasks, calls) => this.pool.runChain(tasks, calls));
    const freeRows = heap.onFull;
    heap.onFull = () => this.#freeCopy() || freeRows();
  }

  /** Register tiles that the kernels take at once where a row has so many. */
  get tiles(): number {
    return TILES[this.build];
  }

  /** Bytes of the heap that are not in use. */
  get unusedBytes(): number {
    return this.heap.unused;
  }

  /** The most bytes of the heap in use at once while `work` runs, above those in use before. */
  peakBytes(work: () => void): number {
    return this.heap.peakBytes(work);
  }

  /** Ends the workers; tfjs calls it when the backend is removed. */
  override dispose(): void {
    this.pool.stop();
  }

  /** Takes over `values`; a view of the heap, which a reference kernel may pass on, is copied. */
  override write(values: Values, _shape: number[], dtype: DataType): DataId {
    const dataId = {};
    const data: TensorData = { values: unshared(values), dtype, refCount: 1 };
    this.data.set(dataId, data);
    return dataId;
  }

  override move(dataId: DataId, values: Values, _shape: number[], dtype: DataType, refCount: number): void {
    const data: TensorData = { values: unshared(values), dtype, refCount };
    this.data.set(dataId, data);
  }

  override readSync(dataId: DataId): Values {
    return unshared(super.readSync(dataId));
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const data = this.data.has(dataId) ? (this.data.get(dataId) as TensorData) : undefined;
    const released = super.disposeData(dataId, force);
    if (released && data) {
      for (const blocks of data.blocks ?? []) {
        this.#copies.delete(blocks);
        this.heap.free(blocks.base);
      }
      if (data.release) data.release();
      else if (data.pointer !== undefined) this.heap.free(data.pointer);
    }
    return released;
  }

  /** A new tensor in the heap; its values are undefined until a kernel writes them. A bool takes a byte. */
  allocate<Type extends HeapType = 'float32'>(
    shape: readonly number[],
    dtype: Type = 'float32' as Type,
  ): TensorInfo & { pointer: number; dtype: Type } {
    const size = sizeOf(shape);
    const pointer = this.heap.allocate(BYTES[dtype] * size);
    const dataId = {};
    const data: TensorData = { values: this.#view(pointer, size, dtype) as Values, dtype, refCount: 1, pointer };
    this.data.set(dataId, data);
    this.#made?.push(dataId);
    return { dataId, shape: [...shape], dtype, pointer };
  }

  /** A new float32 tensor that `write` fills. */
  make(shape: readonly number[], write: (pointer: number) => void): TensorInfo {
    const { pointer, ...tensor } = this.allocate(shape);
    write(pointer);
    return tensor;
  }

  /** Runs a kernel; when it throws, nothing is left of the tensors that it made. */
  undoing<T>(kernel: () => T): T {
    const outer = this.#made;
    const made: DataId[] = [];
    this.#made = made;
    try {
      const result = kernel();
      outer?.push(...made);
      return result;
    } catch (error) {
      for (const dataId of made) if (this.data.has(dataId)) this.disposeData(dataId, true);
      throw error;
    } finally {
      this.#made = outer;
      if (outer === undefined) this.#pinned.clear();
    }
  }

  /**
   * A new float32 tensor that `write` fills when someone first reads it. tfjs asks for the gradients of a fused op's
   * weights even in an attack, where no one does.
   *
   * @param inputs what `write` reads; kept until then
   */
  defer(shape: readonly number[], inputs: readonly TensorInfo[], write: (pointer: number) => void): TensorInfo {
    for (const input of inputs) this.incRef(input.dataId);
    const release = () => {
      for (const input of inputs) if (this.disposeData(input.dataId)) engine().removeDataId(input.dataId, this);
    };
    return this.#add(shape, this.#later(sizeOf(shape), write, release));
  }

  /** A new float32 tensor that `write` fills in blocks of a form; a plain copy is made when someone first reads it. */
  makeInBlocks(shape: readonly number[], form: Form, write: (pointer: number) => void): TensorInfo {
    const blocks = this.#allocateBlocks(form);
    const settled = () => this.#copies.set(blocks, data);
    const unpack = (pointer: number) => this.#copyImages(blocks, { pointer });
    const data: TensorData = Object.assign(
      this.#later(sizeOf(shape), unpack, () => {}, settled),
      {
        form,
        blocks: [blocks],
      },
    );
    const tensor = this.#add(shape, data);
    this.#made?.push(tensor.dataId);
    write(blocks.pointer);
    return tensor;
  }

  /** The form in blocks that a tensor was made in; undefined if it was made plain. */
  formOf({ dataId }: TensorInfo): Form | undefined {
    return (this.data.get(dataId) as TensorData).form;
  }

  /**
   * The address of a float32 tensor's values in blocks of a form, for the current kernel. They are copied from where they
   * lie if need be; the copy stays with the tensor until memory is short.
   */
  blocks(tensor: TensorInfo, form: Form): number {
    const data = this.data.get(tensor.dataId) as TensorData;
    data.blocks ??= [];
    const own = data.blocks.find((blocks) => sameForm(blocks.form, form));
    const blocks = own ?? this.#copyInto(form, tensor, data.blocks);
    if (!own) data.blocks.push(blocks);
    this.#pinned.add(blocks);
    if (!own || this.#copies.delete(blocks)) this.#copies.set(blocks, data);
    return blocks.pointer;
  }

  /** An empty tensor whose disposal calls `release`. */
  own(release: () => void): TensorInfo {
    const dataId = {};
    const data: TensorData = { values: new Float32Array(0), dtype: 'float32', refCount: 1, release };
    this.data.set(dataId, data);
    this.#made?.push(dataId);
    return { dataId, shape: [0], dtype: 'float32' };
  }

  /** The address of a tensor of float32, int32 or bool, which moves into the heap if it is not there yet. */
  pointer({ dataId }: TensorInfo): number {
    const data = this.data.get(dataId) as TensorData;
    if (data.pointer !== undefined) return data.pointer;
    const values = data.values as Float32Array;
    const dtype = data.dtype as HeapType;
    const pointer = this.heap.allocate(BYTES[dtype] * values.length);
    const inHeap = this.#view(pointer, values.length, dtype);
    inHeap.set(values);
    data.pointer = pointer;
    data.values = inHeap as Values;
    return pointer;
  }

  #add(shape: readonly number[], data: TensorData): TensorInfo {
    const dataId = {};
    this.data.set(dataId, data);
    return { dataId, shape: [...shape], dtype: 'float32' };
  }

  /** A tensor whose plain values `write` writes when they are first asked for; `release` ends what it needs until then. */
  #later(size: number, write: (pointer: number) => void, release: () => void, settled = () => {}): TensorData {
    const settle = (): TensorData => {
      const pointer = this.heap.allocate(BYTES.float32 * size);
      try {
        write(pointer);
      } catch (error) {
        this.heap.free(pointer);
        throw error;
      }
      Object.defineProperties(data, {
        pointer: { value: pointer },
        values: { value: this.#view(pointer, size, 'float32') },
        release: { value: undefined },
      });
      release();
      settled();
      return data;
    };
    const data: TensorData = {
      get values() {
        return settle().values;
      },
      get pointer() {
        return settle().pointer;
      },
      dtype: 'float32',
      refCount: 1,
      release,
    };
    return data;
  }

  #allocateBlocks(form: Form): Blocks {
    const base = this.heap.allocate(formBytes(form));
    return { form, base, pointer: base + leadBytes(form) };
  }

  /** A tensor's values in new blocks, copied from others that have all where no more than planes change, else from the plain tensor. */
  #copyInto(form: Form, tensor: TensorInfo, others: readonly Blocks[]): Blocks {
    const near = others.find(
      ({ form: { shape, planes, sampled } }) =>
        !sampled && sameImages(shape, form.shape) && (planes === 1 || form.planes === 1),
    );
    if (near) this.#pinned.add(near);
    const from: Place = near ?? { pointer: this.pointer(tensor) };
    const blocks = this.#allocateBlocks(form);
    try {
      this.#copyImages(from, blocks);
    } catch (error) {
      this.heap.free(blocks.base);
      throw error;
    }
    return blocks;
  }

  #copyImages(from: Place, to: Place): void {
    const form = (from.form ?? to.form) as Form;
    const { tasks, call } = copyImages(form.shape, from, to);
    this.pool.runChain(tasks, [call]);
  }

  #freeCopy(): boolean {
    for (const [blocks, data] of this.#copies) {
      if (this.#pinned.has(blocks)) continue;
      this.#copies.delete(blocks);
      data.blocks = data.blocks?.filter((other) => other !== blocks);
      this.heap.free(blocks.base);
      return true;
    }
    return false;
  }

  #view(pointer: number, length: number, dtype: HeapType) {
    if (dtype === 'bool') return this.heap.uint8(pointer, length);
    return dtype === 'int32' ? this.heap.int32(pointer, length) : this.heap.float32(pointer, length);
  }
}
