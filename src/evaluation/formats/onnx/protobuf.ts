// Reads the bytes of an ONNX file into records. The library pbf reads the numbers; here are the numbers of onnx.proto's
// fields, and the checks that no message reaches beyond the bytes that exist.
import { PbfReader } from 'pbf';
import { InputError } from '../../../core/errors.ts';
import type { Attribute, EndRecord, ModelRecord, NodeRecord, TensorRecord } from './model.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type ReadField<T> = (field: number, result: T, pbf: PbfReader) => void;

const EXTERNAL = 1;

/** @throws InputError for bytes that are no ONNX model */
export function decodeModel(bytes: Uint8Array, path: string): ModelRecord {
  try {
    const pbf = new PbfReader(bytes);
    const model = pbf.readFields(readModelField, { producer: '', opsets: new Map(), graph: null } as ModelParts);
    if (pbf.pos !== pbf.length) throw new Error('its last field ends behind the file');
    if (model.graph === null) throw new Error('it has no graph');
    return { producer: model.producer, opsets: model.opsets, ...model.graph };
  } catch (error) {
    throw new InputError(
      `${path} cannot be read as an ONNX model: ${(error as Error).message}. Copy the file again, or export it again.`,
      { cause: error },
    );
  }
}

interface ModelParts {
  producer: string;
  readonly opsets: Map<string, number>;
  graph: GraphParts | null;
}

interface GraphParts {
  readonly nodes: NodeRecord[];
  readonly initializers: TensorRecord[];
  readonly inputs: EndRecord[];
  readonly outputs: EndRecord[];
}

/** The message at the reader's place, which must end within the bytes. */
function message<T>(pbf: PbfReader, readField: ReadField<T>, result: T): T {
  const end = endOf(pbf);
  pbf.readFields(readField, result, end);
  if (pbf.pos !== end) throw new Error(`a message that ends at byte ${end} has a field that ends at ${pbf.pos}`);
  return result;
}

/** Where what is at the reader's place ends, after reading its length. */
function endOf(pbf: PbfReader): number {
  const length = pbf.readVarint();
  if (length > pbf.length - pbf.pos) {
    throw new Error(`${length} bytes are announced at byte ${pbf.pos}, and ${pbf.length - pbf.pos} are left`);
  }
  return pbf.pos + length;
}

function bytesOf(pbf: PbfReader): Uint8Array {
  const end = endOf(pbf);
  const bytes = pbf.buf.subarray(pbf.pos, end);
  pbf.pos = end;
  return bytes;
}

const decoder = new TextDecoder();
const text = (pbf: PbfReader): string => decoder.decode(bytesOf(pbf));

const readModelField: ReadField<ModelParts> = (field, model, pbf) => {
  if (field === 2) model.producer = text(pbf);
  else if (field === 7) {
    model.graph = message(pbf, readGraphField, { nodes: [], initializers: [], inputs: [], outputs: [] });
  } else if (field === 8) {
    const { domain, version } = message(pbf, readOpsetField, { domain: '', version: 0 });
    model.opsets.set(domainName(domain), version);
  }
};

/** The operators of ONNX itself are in the domain '' or 'ai.onnx'. */
const domainName = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

const readOpsetField: ReadField<{ domain: string; version: number }> = (field, opset, pbf) => {
  if (field === 1) opset.domain = text(pbf);
  else if (field === 2) opset.version = pbf.readVarint(true);
};

const readGraphField: ReadField<GraphParts> = (field, graph, pbf) => {
  if (field === 1) graph.nodes.push(readNode(pbf));
  else if (field === 5) graph.initializers.push(readTensor(pbf));
  else if (field === 11) graph.inputs.push(readEnd(pbf));
  else if (field === 12) graph.outputs.push(readEnd(pbf));
  else if (field === 15) throw new Error('it stores weights in sparse form, which Equipoise does not read');
};

type NodeParts = Mutable<Pick<NodeRecord, 'name' | 'op' | 'domain'>> & {
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: Map<string, Attribute>;
};

const readNode = (pbf: PbfReader): NodeRecord =>
  message(pbf, readNodeField, { name: '', op: '', domain: '', inputs: [], outputs: [], attributes: new Map() });

const readNodeField: ReadField<NodeParts> = (field, node, pbf) => {
  if (field === 1) node.inputs.push(text(pbf));
  else if (field === 2) node.outputs.push(text(pbf));
  else if (field === 3) node.name = text(pbf);
  else if (field === 4) node.op = text(pbf);
  else if (field === 7) node.domain = domainName(text(pbf));
  else if (field === 5) {
    const { name, value } = message(pbf, readAttributeField, { name: '', value: null, numbers: [], strings: [] });
    node.attributes.set(name, value);
  }
};

interface AttributeParts {
  name: string;
  value: Attribute;
  readonly numbers: number[];
  readonly strings: string[];
}

const readAttributeField: ReadField<AttributeParts> = (field, attribute, pbf) => {
  if (field === 1) attribute.name = text(pbf);
  else if (field === 2) attribute.value = pbf.readFloat();
  else if (field === 3) attribute.value = pbf.readVarint(true);
  else if (field === 4) attribute.value = text(pbf);
  else if (field === 5) attribute.value = readTensor(pbf);
  else if (field === 7) attribute.value = pbf.readPackedFloat(attribute.numbers);
  else if (field === 8) attribute.value = pbf.readPackedVarint(attribute.numbers, true);
  else if (field === 9) {
    attribute.strings.push(text(pbf));
    attribute.value = attribute.strings;
  } else if (field === 20) {
    // An empty list has no field of its own.
    const type = pbf.readVarint();
    if (attribute.value === null && (type === 6 || type === 7)) attribute.value = attribute.numbers;
  }
};

type TensorParts = Mutable<TensorRecord> & {
  readonly dims: number[];
  readonly list: number[];
  readonly places: Record<string, string>;
};

function readTensor(pbf: PbfReader): TensorRecord {
  const parts: TensorParts = { name: '', dims: [], dataType: 0, raw: null, list: [], external: null, places: {} };
  const { places: _, ...tensor } = message(pbf, readTensorField, parts);
  return tensor;
}

const readTensorField: ReadField<TensorParts> = (field, tensor, pbf) => {
  if (field === 1) pbf.readPackedVarint(tensor.dims, true);
  else if (field === 2) tensor.dataType = pbf.readVarint();
  else if (field === 4) pbf.readPackedFloat(tensor.list);
  else if (field === 5 || field === 7) pbf.readPackedVarint(tensor.list, true);
  else if (field === 10) pbf.readPackedDouble(tensor.list);
  else if (field === 11) pbf.readPackedVarint(tensor.list);
  else if (field === 8) tensor.name = text(pbf);
  else if (field === 9) tensor.raw = bytesOf(pbf);
  else if (field === 13) {
    const { key, value } = message(pbf, readEntryField, { key: '', value: '' });
    tensor.places[key] = value;
  } else if (field === 14 && pbf.readVarint() === EXTERNAL) tensor.external = tensor.places;
};

const readEntryField: ReadField<{ key: string; value: string }> = (field, entry, pbf) => {
  if (field === 1) entry.key = text(pbf);
  else if (field === 2) entry.value = text(pbf);
};

type EndParts = Mutable<EndRecord>;

const readEnd = (pbf: PbfReader): EndRecord =>
  message(pbf, readEndField, { name: '', dataType: 0, shape: null } as EndParts);

const readEndField: ReadField<EndParts> = (field, end, pbf) => {
  if (field === 1) end.name = text(pbf);
  else if (field === 2) message(pbf, readTypeField, end);
};

const readTypeField: ReadField<EndParts> = (field, end, pbf) => {
  if (field === 1) message(pbf, readTensorTypeField, end);
};

const readTensorTypeField: ReadField<EndParts> = (field, end, pbf) => {
  if (field === 1) end.dataType = pbf.readVarint();
  else if (field === 2) end.shape = message(pbf, readShapeField, [] as (number | null)[]);
};

const readShapeField: ReadField<(number | null)[]> = (field, shape, pbf) => {
  if (field !== 1) return;
  const { extent } = message(pbf, readExtentField, { extent: null as number | null });
  shape.push(extent !== null && extent > 0 ? extent : null);
};

const readExtentField: ReadField<{ extent: number | null }> = (field, dimension, pbf) => {
  if (field === 1) dimension.extent = pbf.readVarint(true);
};
