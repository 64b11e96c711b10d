// The builds of the WebAssembly kernels, and how one is chosen and loaded.
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';

/**
 * The builds of the kernels: `simd` is plain 128-bit SIMD; `relaxed` fuses multiply and add where the CPU can;
 * `relaxed-revec` has register tiles twice as wide, whose pairs of vectors V8 turns into 256-bit instructions under its flag
 * `--experimental-wasm-revectorize`. Results depend on the build and, for the relaxed ones, on the CPU.
 */
export const BUILDS = ['simd', 'relaxed', 'relaxed-revec'] as const;
/** The builds of the kernels, of which the fastest that runs is taken. */
export type KernelBuild = (typeof BUILDS)[number];

/** Register tiles that a build's kernels take at once where a row has so many. */
export const TILES = { simd: 1, relaxed: 1, 'relaxed-revec': 2 } as const satisfies Record<KernelBuild, number>;

/** () => f32x4.relaxed_madd(v, v, v) of a zero v: valid only where the runtime has relaxed SIMD. */
// biome-ignore format: one line a section
const RELAXED_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x13, 0x01, 0x11, 0x00,
  0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0xfd, 0x85, 0x02, 0x0b,
);

export const hasRelaxedSimd = (): boolean => WebAssembly.validate(RELAXED_PROBE);

/** The best build that this runtime can run without a flag of its own. */
export const bestBuild = (): KernelBuild => (hasRelaxedSimd() ? 'relaxed' : 'simd');

/** Compiles a build's kernels; for `relaxed-revec`, sets V8's flag for this process and its workers. */
export async function loadKernels(build: KernelBuild): Promise<WebAssembly.Module> {
  if (build === 'relaxed-revec') setFlagsFromString('--experimental-wasm-revectorize');
  return WebAssembly.compile(await readFile(new URL(`../${build}.wasm`, import.meta.url)));
}
