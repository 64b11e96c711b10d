// Writes small ONNX models, for tests.
import { PbfWriter } from 'pbf';

type TensorData = Float32Array | Float64Array | Uint16Array | BigInt64Array;

export interface TensorSketch {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** Written as a list of numbers instead of bytes. */
  readonly list?: boolean;
  /** Where it lies instead. */
  readonly external?: Readonly<Record<string, string>>;
}

export interface NodeSketch {
  readonly op: string;
  readonly name?: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | string>>;
}

export interface EndSketch {
  readonly name: string;
  readonly shape: readonly (number | null)[];
}

export interface OnnxSketch {
  readonly opset: number;
  readonly inputs: readonly EndSketch[];
  readonly outputs: readonly EndSketch[];
  readonly initializers: readonly TensorSketch[];
  readonly nodes: readonly NodeSketch[];
}

export const tensor = (name: string, shape: readonly number[], data: TensorData): TensorSketch => ({
  name,
  shape,
  data,
});

/** Integers, such as a shape. */
export const integers = (name: string, values: readonly number[]): TensorSketch =>
  tensor(name, [values.length], BigInt64Array.from(values, BigInt));

/** The number of TensorProto.DataType for an array. */
const typeOf = (data: TensorData): number =>
  data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 10 : data instanceof Float64Array ? 11 : 7;

function writeTensor({ name, shape, data, list, external }: TensorSketch, pbf: PbfWriter): void {
  for (const extent of shape) pbf.writeVarintField(1, extent);
  pbf.writeVarintField(2, typeOf(data));
  pbf.writeStringField(8, name);
  if (external !== undefined) {
    for (const [key, value] of Object.entries(external)) {
      pbf.writeMessage(13, writeEntry, { key, value });
    }
    pbf.writeVarintField(14, 1);
  } else if (list) pbf.writePackedFloat(4, Array.from(data, Number));
  else pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeEntry({ key, value }: { key: string; value: string }, pbf: PbfWriter): void {
  pbf.writeStringField(1, key);
  pbf.writeStringField(2, value);
}

function writeAttribute([name, value]: [string, number | readonly number[] | string], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === 'string') pbf.writeStringField(4, value);
  else if (typeof value !== 'number') for (const one of value) pbf.writeVarintField(8, one);
  else if (Number.isInteger(value)) pbf.writeVarintField(3, value);
  else pbf.writeFloatField(2, value);
}

function writeNode({ op, name = '', domain = '', inputs, outputs, attributes = {} }: NodeSketch, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  for (const output of outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, name);
  pbf.writeStringField(4, op);
  pbf.writeStringField(7, domain);
  for (const entry of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, entry);
}

function writeEnd({ name, shape }: EndSketch, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  pbf.writeMessage(2, (_, type) => type.writeMessage(1, writeTensorType, shape), shape);
}

function writeTensorType(shape: EndSketch['shape'], pbf: PbfWriter): void {
  pbf.writeVarintField(1, 1);
  pbf.writeMessage(2, writeShape, shape);
}

function writeShape(shape: EndSketch['shape'], pbf: PbfWriter): void {
  for (const extent of shape) pbf.writeMessage(1, writeExtent, extent);
}

function writeExtent(extent: number | null, pbf: PbfWriter): void {
  if (extent === null) pbf.writeStringField(2, 'any');
  else pbf.writeVarintField(1, extent);
}

function writeGraph({ nodes, initializers, inputs, outputs }: OnnxSketch, pbf: PbfWriter): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  for (const initializer of initializers) pbf.writeMessage(5, writeTensor, initializer);
  for (const input of inputs) pbf.writeMessage(11, writeEnd, input);
  for (const output of outputs) pbf.writeMessage(12, writeEnd, output);
}

/** The bytes of an ONNX file. */
export function encodeModel(sketch: OnnxSketch): Uint8Array {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, 8);
  pbf.writeMessage(7, writeGraph, sketch);
  pbf.writeMessage(8, (opset, part) => part.writeVarintField(2, opset), sketch.opset);
  return pbf.finish();
}
