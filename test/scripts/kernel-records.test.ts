import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

// Not imported by name: the compiler's declarations change those of JavaScript's own types for all sources.
const { default: asc } = await import(import.meta.resolve('assemblyscript/asc'));
const { writeKernelRecords } = await import(new URL('../../../scripts/kernel-records.mjs', import.meta.url).href);

/** Compiles a file of kernels as far as their records, and returns what was written, or the error's message. */
async function recordsOf(source: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-kernel-records-'));
  const path = join(folder, 'generated/records.ts');
  const stop = () => {
    throw new Error('far enough');
  };
  try {
    const { error } = await asc.main(['index.ts', '--noEmit', '--runtime', 'stub'], {
      stderr: asc.createMemoryStream(),
      readFile: (name: string) => (name === 'index.ts' ? source : null),
      listFiles: () => [],
      transforms: [writeKernelRecords(path), { afterInitialize: stop }],
    });
    return error?.message === 'far enough' ? readFileSync(path, 'utf8') : String(error?.message);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the records of kernels', () => {
  it('list the fields of the class that a kernel takes, inherited ones first, and no method', async () => {
    const records = await recordsOf(`
      @unmanaged class Base { y: usize; }
      @unmanaged class Scale extends Base { factor: f32; length: u32; twice(): f32 { return 2 * this.factor; } }
      export let thread: i32 = 0;
      export function scale(task: i32, args: Scale): void {}
      export function unscale(task: i32, args: Scale): void {}
    `);
    expect(records).to.match(/^\/\/ .*\n\/\/ .*\n\nexport const RECORDS = \{\n/);
    expect(records.split('RECORDS = ')[1]).to.equal(`{
  scale: { y: 'usize', factor: 'f32', length: 'u32' },
  unscale: { y: 'usize', factor: 'f32', length: 'u32' },
} as const;
`);
  });

  it('have only fields of 32 bits', async () =>
    expect(
      await recordsOf(`
        @unmanaged class Sum { y: usize; start: f64; }
        export function sum(task: i32, args: Sum): void {}
      `),
    ).to.equal(
      "Kernel sum: expected field 'start' of class Sum to have a type of 32 bits, one of i32, u32, usize, f32, got f64.",
    ));

  it('are of functions that take a task and an unmanaged class', async () =>
    expect(
      await recordsOf(`
        @unmanaged class Relu { x: usize; }
        export function relu(task: i32, args: usize): void { changetype<Relu>(args); }
      `),
    ).to.equal(
      'Kernel relu: expected a function (task: i32, args: Class): void with an @unmanaged class of its fields.',
    ));
});
