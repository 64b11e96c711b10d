// The part that we use of libjpeg-turbo compiled to WebAssembly, whose package has no types.
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export interface JPEGDecoder {
    /** Memory for so many bytes of a file. */
    getEncodedBuffer(bytes: number): Uint8Array;
    /** @throws a number for whatever libjpeg-turbo calls an error or warns of; the instance is not to be used after that */
    decode(): void;
    getFrameInfo(): { readonly width: number; readonly height: number; readonly componentCount: number };
    /** The pixels, grey or RGB, in memory that `delete` frees. */
    getDecodedBuffer(): Uint8Array;
    delete(): void;
  }
  export interface Instance {
    readonly JPEGDecoder: new () => JPEGDecoder;
  }
  // biome-ignore lint/style/noDefaultExport: the package is a CommonJS module, which Node imports as its default
  export default function instantiate(options: {
    instantiateWasm(
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ): WebAssembly.Exports;
  }): Promise<Instance>;
}
