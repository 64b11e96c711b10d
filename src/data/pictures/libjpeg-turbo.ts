// libjpeg-turbo in WebAssembly: the decoder of Pillow and torchvision, whose pixels it gives to the bit. This file is
// imported only when there is a JPEG to decode.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import instantiate, { type Instance } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';

const wasm = createRequire(import.meta.url).resolve('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm');
const compiled = new WebAssembly.Module(readFileSync(wasm));

const start = (): Promise<Instance> =>
  instantiate({
    instantiateWasm: (imports, done) => {
      const instance = new WebAssembly.Instance(compiled, imports);
      done(instance, compiled);
      return instance.exports;
    },
  });

/** The decoder in use. An error leaves one with a broken stack, so a new one takes its place. */
let decoding: Promise<Instance> = start();

/** The decoder in use after waiting for it: another picture's error may have replaced it meanwhile. */
async function current(): Promise<Instance> {
  for (;;) {
    const awaited = decoding;
    const instance = await awaited;
    if (awaited === decoding) return instance;
  }
}

export interface DecodedJpeg {
  readonly width: number;
  readonly height: number;
  /** [height, width, 1 or 3] */
  readonly pixels: Uint8Array;
}

/**
 * Decodes a JPEG file of one or three components.
 *
 * @returns null if libjpeg-turbo finds a fault, such as data that end too early
 */
export async function decodeWithLibjpegTurbo(bytes: Uint8Array): Promise<DecodedJpeg | null> {
  const { JPEGDecoder } = await current();
  try {
    const decoder = new JPEGDecoder();
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height } = decoder.getFrameInfo();
    const pixels = Uint8Array.from(decoder.getDecodedBuffer());
    decoder.delete();
    return { width, height, pixels };
  } catch {
    decoding = start();
    return null;
  }
}
