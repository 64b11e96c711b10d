// What an ONNX file says, as plain records: the messages of onnx.proto, without the fields that inference does not need.

/** A tensor as the file stores it: in one of the lists, as raw bytes, or in another file. */
export interface TensorRecord {
  readonly name: string;
  readonly dims: readonly number[];
  /** A number of TensorProto.DataType. */
  readonly dataType: number;
  readonly raw: Uint8Array | null;
  /** Numbers of whichever list of the message holds them. */
  readonly list: readonly number[];
  /** Place in another file (`location`, `offset`, `length`); null if the numbers are in this one. */
  readonly external: Readonly<Record<string, string>> | null;
}

export type Attribute = number | string | TensorRecord | readonly number[] | readonly string[] | null;

export interface NodeRecord {
  readonly name: string;
  readonly op: string;
  /** Empty for the operators of ONNX itself. */
  readonly domain: string;
  /** Names of values; empty for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** An attribute that holds a graph is null. */
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** An input or output of a graph. */
export interface EndRecord {
  readonly name: string;
  /** A number of TensorProto.DataType; 0 where the file does not say. */
  readonly dataType: number;
  /** The shape; null if the file does not say. An extent is null if any is allowed. */
  readonly shape: readonly (number | null)[] | null;
}

export interface ModelRecord {
  readonly producer: string;
  /** Version of the operators by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly nodes: readonly NodeRecord[];
  readonly initializers: readonly TensorRecord[];
  readonly inputs: readonly EndRecord[];
  readonly outputs: readonly EndRecord[];
}
