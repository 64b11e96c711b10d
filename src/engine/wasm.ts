import { readFile } from 'node:fs/promises';

/**
 * The builds of the kernels: `simd` is plain 128-bit SIMD, `relaxed` fuses multiply and add where the CPU can. Results
 * depend on the build and, for `relaxed`, on the CPU.
 */
export type KernelBuild = 'simd' | 'relaxed';

/** () => f32x4.relaxed_madd(v, v, v) of a zero v: valid only where the runtime has relaxed SIMD. */
// biome-ignore format: one line a section
const RELAXED_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x13, 0x01, 0x11, 0x00,
  0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0xfd, 0x85, 0x02, 0x0b,
);

/** The best build that this runtime can run. */
export const bestBuild = (): KernelBuild => (WebAssembly.validate(RELAXED_PROBE) ? 'relaxed' : 'simd');

export const loadKernels = async (build: KernelBuild): Promise<WebAssembly.Module> =>
  WebAssembly.compile(await readFile(new URL(`./${build}.wasm`, import.meta.url)));
