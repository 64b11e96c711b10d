import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { KERNELS, type KernelName, RECORDS } from '../../src/engine/records/records.ts';

const folder = new URL('../../../src/engine/assembly/', import.meta.url);
const source = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(new URL(file, folder), 'utf8'))
  .join('\n');

function fieldsOfClass(name: string): string[] {
  const fields = new RegExp(`^(?:export )?class ${name} \\{\\n(.*?)^\\}`, 'ms').exec(source)?.[1] ?? '';
  return [...fields.matchAll(/^ {2}(\w+): \w+;/gm)].map(([, field]) => field);
}

/** The fields of the class that a kernel reads its arguments as; undefined for one that reads none. */
function fieldsOf(kernel: KernelName): string[] | undefined {
  const body = new RegExp(`^export function ${kernel}\\(.*?^\\}`, 'ms').exec(source)?.[0];
  expect(body, `${kernel} is not in assembly/`).to.be.a('string');
  const name = /changetype<(\w+)>/.exec(body ?? '')?.[1];
  if (name === undefined) return undefined;
  const rest = new RegExp(`goes on with the fields of (\\w+)\\. \\*/\\n@unmanaged\\nclass ${name} `).exec(source)?.[1];
  return [name, ...(rest === undefined ? [] : [rest])].flatMap(fieldsOfClass);
}

describe('engine records', () => {
  it('have the fields of the classes in assembly, in their order', () => {
    const described = KERNELS.filter((kernel) => fieldsOf(kernel) !== undefined);
    expect(described.length).to.be.greaterThan(15);
    for (const kernel of described) expect([...RECORDS[kernel]], kernel).to.deep.equal(fieldsOf(kernel));
  });
});
