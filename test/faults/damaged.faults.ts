// Damaged inputs for every parser, many more than `npm test` tries.
process.env.FUZZ_INPUTS ??= process.env.EQUIPOISE_FAULTS === 'sample' ? '1000' : '100000';
await import('../fuzz/fuzz.test.ts');
