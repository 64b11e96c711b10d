// What a row of the fuzzed parsers is.

/** A parser, the sound inputs that damage starts from, and what packs damaged bytes so that they get past checksums. */
export interface FuzzedParser {
  readonly seeds: readonly Uint8Array[];
  /** Makes an input of damaged bytes. */
  readonly pack?: (bytes: Uint8Array) => Uint8Array;
  /** True for a parser that takes damage for "not known" and refuses nothing. */
  readonly acceptsAll?: boolean;
  /** @throws InputError or UsageError for what it refuses; any other error is a fault, of the parser or in what it accepted */
  readonly parse: (bytes: Uint8Array) => Promise<unknown>;
}
