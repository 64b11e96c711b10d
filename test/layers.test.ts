import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Imports flow from left to right: a folder uses those of earlier lines, and the siblings named below. */
const layers = [
  ['core'],
  ['ops'],
  ['attacks', 'engine'],
  ['models', 'sparsity', 'optimizers', 'data'],
  ['objectives'],
  ['checkpoints'],
  ['evaluation'],
  ['training'],
  ['reporting', 'sweeps'],
  ['backends', 'cli'],
] as const;
const folders = layers.flat();
type Folder = (typeof folders)[number];
const siblings: readonly (readonly [Folder, Folder])[] = [
  ['sweeps', 'reporting'],
  ['cli', 'backends'],
];
const usesEngine: readonly Folder[] = ['engine', 'backends', 'cli'];

const layerOf = (folder: Folder) => layers.findIndex((layer) => (layer as readonly Folder[]).includes(folder));
const pathOf = (folder: Folder) => (folder === 'attacks' ? folder : `src/${folder}`);

function mayImport(from: Folder, to: Folder): boolean {
  if (from === to) return true;
  if (to === 'engine') return usesEngine.includes(from);
  return layerOf(to) < layerOf(from) || siblings.some(([a, b]) => a === from && b === to);
}

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}

/** Writes the files into a folder that has our biome.json, and lints them there. */
function lint(files: Readonly<Record<string, string>>): readonly Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-lint-'));
  try {
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
    const options = ['--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json'];
    const { stdout } = spawnSync(process.execPath, [biome, 'lint', ...options, '.'], { cwd: folder, encoding: 'utf8' });
    return JSON.parse(stdout).diagnostics;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the layer rule', () => {
  it('lets every folder import those before it and none after it', () => {
    const files = Object.fromEntries(
      folders.map((from) => [
        `${pathOf(from)}/deep/importer.ts`,
        folders
          .map(
            (to, i) => `import { x as x${i} } from '${from === 'attacks' ? '../..' : '../../..'}/${pathOf(to)}/x.ts';`,
          )
          .concat(`export const used = [${folders.map((_, i) => `x${i}`)}];\n`)
          .join('\n'),
      ]),
    );
    const found = lint(files)
      .filter(({ category }) => category === 'lint/style/noRestrictedImports')
      .map(({ location }) => `${location.path}:${location.start.line}`);
    const expected = folders.flatMap((from) =>
      folders.flatMap((to, i) => (mayImport(from, to) ? [] : [`${pathOf(from)}/deep/importer.ts:${i + 1}`])),
    );
    expect(found.sort()).to.deep.equal(expected.sort());
  });

  it('sees dynamic imports, type imports and re-exports', () => {
    const found = lint({
      'src/ops/a.ts': `import type { T } from '../training/config.ts';
export type { T };
export * from '../training/train.ts';
export const load = () => import('../engine/index.ts');
`,
    });
    const lines = found
      .filter(({ category }) => category === 'lint/style/noRestrictedImports')
      .map(({ location }) => location.start.line);
    expect(lines).to.deep.equal([1, 3, 4]);
  });

  it('keeps Node out of core, ops and attacks, and only out of them', () => {
    const source = "import { readFileSync } from 'node:fs';\nexport const used = readFileSync;\n";
    const found = lint(Object.fromEntries(folders.map((folder) => [`${pathOf(folder)}/a.ts`, source])));
    const paths = found
      .filter(({ category }) => category === 'lint/correctness/noNodejsModules')
      .map(({ location }) => location.path);
    expect(paths.sort()).to.deep.equal(['attacks/a.ts', 'src/core/a.ts', 'src/ops/a.ts']);
  });

  it('refuses any, default exports, import cycles and the inner files of TensorFlow.js', () => {
    const found = lint({
      'src/core/any.ts': 'export const f = (x: any) => x;\n',
      'src/core/default.ts': 'export default 1;\n',
      'src/core/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'src/core/b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
      'test/deep.ts': "import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';\n",
      'src/ops/umbrella.ts': "import '@tensorflow/tfjs';\n",
    });
    expect(found.map(({ category, location }) => `${location.path} ${category}`).sort()).to.deep.equal([
      'src/core/a.ts lint/suspicious/noImportCycles',
      'src/core/any.ts lint/suspicious/noExplicitAny',
      'src/core/b.ts lint/suspicious/noImportCycles',
      'src/core/default.ts lint/style/noDefaultExport',
      'src/ops/umbrella.ts lint/style/noRestrictedImports',
      'test/deep.ts lint/style/noRestrictedImports',
    ]);
  });

  it('knows every folder of sources', () => {
    const present = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders as readonly string[]).to.include.members(present.map(({ name }) => name));
  });
});
