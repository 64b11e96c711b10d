// A transform of the AssemblyScript compiler: writes what the kernels' arguments are made of as a TypeScript module, so that
// the TypeScript compiler checks every call of a kernel.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ElementKind, SourceKind } from 'assemblyscript';
import { libraryPrefix } from 'assemblyscript/asc';

const HEADER = `// The fields of the kernels' argument records with their types, in the order in which they lie in memory, four bytes each.
// scripts/kernel-records.mjs writes this file when the kernels are compiled, from the classes of their arguments.

`;

/** Types of 32 bits, which a record may have. */
const TYPES = ['i32', 'u32', 'usize', 'f32'];

/** The fields of a class with those that it inherits, as [name, type] in the order of memory. */
function fieldsOf(kernel, record) {
  const fields = [...record.members.values()].flatMap((member) => (member.isField ? [member.instance] : []));
  return fields.map(({ name, type, memoryOffset }, i) => {
    if (!TYPES.includes(String(type)) || memoryOffset !== 4 * i) {
      throw new Error(
        `Kernel ${kernel}: expected field '${name}' of class ${record.name} to have a type of 32 bits, ` +
          `one of ${TYPES.join(', ')}, got ${type}.`,
      );
    }
    return [name, String(type)];
  });
}

/** The record that a kernel, a function (task: i32, args: Class), takes as its arguments. */
function recordOf(kernel, { parameterTypes: [task, args], returnType }) {
  const record = args?.classReference;
  if (String(task) !== 'i32' || !args?.isUnmanaged || !record || String(returnType) !== 'void') {
    throw new Error(
      `Kernel ${kernel}: expected a function (task: i32, args: Class): void with an @unmanaged class of its fields.`,
    );
  }
  return record;
}

/** Every function that the entry file exports, by name, with the fields of its record. */
function kernelsOf({ sources, filesByName, resolver }) {
  const entry = sources.find(
    ({ sourceKind, internalPath }) => sourceKind === SourceKind.UserEntry && !internalPath.startsWith(libraryPrefix),
  );
  const functions = [...filesByName.get(entry.internalPath).exports].filter(
    ([, { kind }]) => kind === ElementKind.FunctionPrototype,
  );
  return functions.map(([kernel, prototype]) => {
    const { signature } = resolver.resolveFunction(prototype, null);
    return [kernel, fieldsOf(kernel, recordOf(kernel, signature))];
  });
}

/** A line for each kernel: `relu: { x: 'usize', length: 'u32' },`. */
const lineOf = ([kernel, fields]) =>
  `  ${kernel}: { ${fields.map(([name, type]) => `${name}: '${type}'`).join(', ')} },\n`;

/** A transform that writes the records of the program's kernels to `path`. */
export const writeKernelRecords = (path) => ({
  afterInitialize(program) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${HEADER}export const RECORDS = {\n${kernelsOf(program).map(lineOf).join('')}} as const;\n`);
  },
});
