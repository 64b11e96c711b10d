// Writes small ONNX models for tests: the writer of exports, and forms of tensors that only other software writes.
import type { PbfWriter } from 'pbf';
import {
  encodeOnnx,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type TensorData,
  writeEntry,
  writeTensor,
  writeTensorHead,
} from '../../src/checkpoints/onnx/encode.ts';

export interface TensorSketch extends OnnxTensor {
  /** Written as a list of numbers instead of bytes. */
  readonly list?: boolean;
  /** Where it lies instead. */
  readonly external?: Readonly<Record<string, string>>;
}

export type NodeSketch = OnnxNode;
export type OnnxSketch = OnnxModel<TensorSketch>;

export const tensor = (name: string, shape: readonly number[], data: TensorData): TensorSketch => ({
  name,
  shape,
  data,
});

/** Integers, such as a shape. */
export const integers = (name: string, values: readonly number[]): TensorSketch =>
  tensor(name, [values.length], BigInt64Array.from(values, BigInt));

function writeSketch(sketch: TensorSketch, pbf: PbfWriter): void {
  const { data, list, external } = sketch;
  if (external !== undefined) {
    writeTensorHead(sketch, pbf);
    for (const [key, value] of Object.entries(external)) pbf.writeMessage(13, writeEntry, { key, value });
    pbf.writeVarintField(14, 1);
  } else if (list) {
    writeTensorHead(sketch, pbf);
    pbf.writePackedFloat(4, Array.from(data, Number));
  } else writeTensor(sketch, pbf);
}

/** The bytes of an ONNX file. */
export const encodeModel = (sketch: OnnxSketch): Uint8Array => encodeOnnx(sketch, writeSketch);
