// Writes ONNX files. The library pbf writes the numbers; here are the numbers of onnx.proto's fields.
import { PbfWriter } from 'pbf';

export type TensorData = Float32Array | Float64Array | Uint16Array | BigInt64Array;

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** An integer, a list of integers, or a text. A number that is no integer is written as a float. */
export type OnnxAttribute = number | readonly number[] | string;

export interface OnnxNode {
  readonly op: string;
  readonly name?: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** An input or output of float32 numbers. An extent of null may be any. */
export interface OnnxEnd {
  readonly name: string;
  readonly shape: readonly (number | null)[];
}

export interface OnnxModel<Tensor extends OnnxTensor = OnnxTensor> {
  readonly opset: number;
  readonly producer?: string;
  readonly inputs: readonly OnnxEnd[];
  readonly outputs: readonly OnnxEnd[];
  readonly initializers: readonly Tensor[];
  readonly nodes: readonly OnnxNode[];
  readonly metadata?: Readonly<Record<string, string>>;
}

const IR_VERSION = 8;
const FLOAT = 1;

/** Writes the fields of a message. */
export type WriteFields<T> = (value: T, pbf: PbfWriter) => void;

/** Returns the bytes of an ONNX file; equal models give equal bytes. */
export function encodeOnnx<Tensor extends OnnxTensor>(
  { opset, producer = '', metadata = {}, ...graph }: OnnxModel<Tensor>,
  writeInitializer: WriteFields<Tensor> = writeTensor,
): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, IR_VERSION);
  if (producer !== '') pbf.writeStringField(2, producer);
  pbf.writeMessage(7, (parts, part) => writeGraph(parts, part, writeInitializer), graph);
  pbf.writeMessage(8, (version, part) => part.writeVarintField(2, version), opset);
  for (const [key, value] of Object.entries(metadata)) pbf.writeMessage(14, writeEntry, { key, value });
  return Uint8Array.from(pbf.finish());
}

function writeGraph<Tensor>(
  {
    nodes,
    initializers,
    inputs,
    outputs,
  }: Pick<OnnxModel, 'nodes' | 'inputs' | 'outputs'> & {
    readonly initializers: readonly Tensor[];
  },
  pbf: PbfWriter,
  writeInitializer: WriteFields<Tensor>,
): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, 'network');
  for (const initializer of initializers) pbf.writeMessage(5, writeInitializer, initializer);
  for (const input of inputs) pbf.writeMessage(11, writeEnd, input);
  for (const output of outputs) pbf.writeMessage(12, writeEnd, output);
}

/** The number of TensorProto.DataType for an array. */
const dataTypeOf = (data: TensorData): number =>
  data instanceof Float32Array ? FLOAT : data instanceof Uint16Array ? 10 : data instanceof Float64Array ? 11 : 7;

/** Writes what a tensor is apart from its numbers: its shape, its type and its name. */
export function writeTensorHead({ name, shape, data }: OnnxTensor, pbf: PbfWriter): void {
  for (const extent of shape) pbf.writeVarintField(1, extent);
  pbf.writeVarintField(2, dataTypeOf(data));
  pbf.writeStringField(8, name);
}

/** Writes a tensor whose numbers are little-endian bytes. */
export function writeTensor(tensor: OnnxTensor, pbf: PbfWriter): void {
  writeTensorHead(tensor, pbf);
  const { buffer, byteOffset, byteLength } = tensor.data;
  pbf.writeBytesField(9, new Uint8Array(buffer, byteOffset, byteLength));
}

/** Writes a key and its value, both text. */
export function writeEntry({ key, value }: { readonly key: string; readonly value: string }, pbf: PbfWriter): void {
  pbf.writeStringField(1, key);
  pbf.writeStringField(2, value);
}

function writeNode({ op, name = '', domain = '', inputs, outputs, attributes = {} }: OnnxNode, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  for (const output of outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, name);
  pbf.writeStringField(4, op);
  pbf.writeStringField(7, domain);
  for (const entry of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, entry);
}

/** Field 20 is the attribute's type, which other readers need. */
function writeAttribute([name, value]: readonly [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === 'string') {
    pbf.writeStringField(4, value);
    pbf.writeVarintField(20, 3);
  } else if (typeof value !== 'number') {
    for (const one of value) pbf.writeVarintField(8, one);
    pbf.writeVarintField(20, 7);
  } else if (Number.isInteger(value)) {
    pbf.writeVarintField(3, value);
    pbf.writeVarintField(20, 2);
  } else {
    pbf.writeFloatField(2, value);
    pbf.writeVarintField(20, 1);
  }
}

function writeEnd({ name, shape }: OnnxEnd, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  pbf.writeMessage(2, (extents, type) => type.writeMessage(1, writeTensorType, extents), shape);
}

function writeTensorType(shape: OnnxEnd['shape'], pbf: PbfWriter): void {
  pbf.writeVarintField(1, FLOAT);
  pbf.writeMessage(2, writeShape, shape);
}

function writeShape(shape: OnnxEnd['shape'], pbf: PbfWriter): void {
  for (const extent of shape) pbf.writeMessage(1, writeExtent, extent);
}

function writeExtent(extent: number | null, pbf: PbfWriter): void {
  if (extent === null) pbf.writeStringField(2, 'batch');
  else pbf.writeVarintField(1, extent);
}
