import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { type DataType, engine, type TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../core/structure.ts';
import type { Heap } from './heap.ts';
import type { Pool } from './pool.ts';
import { RowsCache } from './rows.ts';
import { type KernelBuild, TILES } from './wasm.ts';

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

  constructor(heap: Heap, pool: Pool, build: KernelBuild) {
    super();
    this.heap = heap;
    this.pool = pool;
    this.build = build;
    this.rows = new RowsCache(heap, (tasks, calls) => this.pool.runChain(tasks, calls));
  }

  /** Register tiles that the kernels take at once where a row has so many. */
  get tiles(): number {
    return TILES[this.build];
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
    }
  }

  /**
   * A new float32 tensor that `write` fills when someone first reads it. tfjs asks for the gradients of a fused op's
   * weights even in an attack, where no one does.
   *
   * @param inputs what `write` reads; kept until then
   */
  defer(shape: readonly number[], inputs: readonly TensorInfo[], write: (pointer: number) => void): TensorInfo {
    const [size, dataId] = [sizeOf(shape), {}];
    for (const input of inputs) this.incRef(input.dataId);
    const release = () => {
      for (const input of inputs) if (this.disposeData(input.dataId)) engine().removeDataId(input.dataId, this);
    };
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
    this.data.set(dataId, data);
    return { dataId, shape: [...shape], dtype: 'float32' };
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

  #view(pointer: number, length: number, dtype: HeapType) {
    if (dtype === 'bool') return this.heap.uint8(pointer, length);
    return dtype === 'int32' ? this.heap.int32(pointer, length) : this.heap.float32(pointer, length);
  }
}
