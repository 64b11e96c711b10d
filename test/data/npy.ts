/** A .npy file, as numpy writes it. */
export function npy(shape: readonly number[], data: Uint8Array, type = '|u1'): Uint8Array {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.replace(
    /,(,\))/,
    '$1',
  );
  const header = text.padEnd(128 - 11, ' ').concat('\n');
  const start = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0);
  return Buffer.concat([start, Buffer.from(header), data]);
}
