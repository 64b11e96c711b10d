// The one list of layers, held against every import of the sources.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Imports flow from left to right: a folder uses those of earlier lines, and the sibling named behind it. */
const LAYERS: readonly (readonly string[])[] = [
  ['core'],
  ['files'],
  ['ops'],
  ['attacks', 'engine'],
  ['models', 'sparsity', 'optimizers', 'data'],
  ['objectives'],
  ['checkpoints'],
  ['evaluation'],
  ['training'],
  ['reporting', 'sweeps'],
  ['backends', 'cli'],
];
const SIBLINGS = ['sweeps → reporting', 'cli → backends'];
/** The folders that may load the engine: those that choose a backend. */
const USE_ENGINE = ['engine', 'backends', 'cli'];
/** Folders that run in browsers. */
const WITHOUT_NODE = ['core', 'ops', 'attacks'];

const layerOf = (folder: string) => LAYERS.findIndex((layer) => layer.includes(folder));

function mayImport(from: string, to: string): boolean {
  if (from === to || SIBLINGS.includes(`${from} → ${to}`)) return true;
  if (to === 'engine') return USE_ENGINE.includes(from);
  return layerOf(to) < layerOf(from);
}

/** The folder, such as `core`, that a path of the repository lies in; '' for files beside all of them. */
function folderOf(path: string): string {
  const [first, second, third] = path.split('/');
  if (first === 'attacks') return first;
  return first === 'src' && third !== undefined ? second : '';
}

/** What a source imports, exports again or loads later, types included. */
const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, specifier]) => specifier);

/** The breaches of the layers in one source. */
function breaches(path: string, text: string): readonly string[] {
  const from = folderOf(path);
  if (from === '') return [];
  return importsOf(text).flatMap((specifier) => {
    if (specifier.startsWith('node:')) return WITHOUT_NODE.includes(from) ? [`${path} imports ${specifier}`] : [];
    if (!specifier.startsWith('.')) return [];
    const target = posix.join(posix.dirname(path), specifier);
    const to = folderOf(target);
    return to !== '' && mayImport(from, to) ? [] : [`${path} imports ${target}`];
  });
}

const sources = ['src', 'attacks'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('assembly'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/')),
);

describe('the layers', () => {
  it('hold: every source imports from its own folder and from earlier layers alone', () => {
    expect(sources.length).to.be.above(200);
    expect(sources.flatMap((path) => breaches(path, readFileSync(join(root, path), 'utf8')))).to.deep.equal([]);
  });

  it('are known of every folder', () => {
    const folders = new Set(sources.map(folderOf).filter((folder) => folder !== ''));
    expect(LAYERS.flat()).to.have.members([...folders]);
  });

  it('would be seen to break, whatever the form of the import', () => {
    const text = `import type { T } from '../training/config/config.ts';
export { x } from '../core/key.ts';
export * from '../training/train.ts';
export const load = () => import('../engine/index.ts');
import '../cli/run.ts';
import { readFile } from 'node:fs/promises';
`;
    expect(breaches('src/ops/a.ts', text)).to.deep.equal([
      'src/ops/a.ts imports src/training/config/config.ts',
      'src/ops/a.ts imports src/training/train.ts',
      'src/ops/a.ts imports src/engine/index.ts',
      'src/ops/a.ts imports src/cli/run.ts',
      'src/ops/a.ts imports node:fs/promises',
    ]);
    expect(breaches('src/training/a.ts', "import { x } from '../engine/index.ts';")).to.have.length(1);
    expect(breaches('src/sweeps/a.ts', "import { x } from '../reporting/report.ts';")).to.deep.equal([]);
    expect(breaches('src/reporting/a.ts', "import { x } from '../sweeps/grid.ts';")).to.have.length(1);
  });
});
