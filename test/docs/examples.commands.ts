import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Inside the package, whose own name resolves there. */
const folder = join(root, 'dist/docs-examples');

interface Example {
  readonly page: string;
  readonly line: number;
  readonly language: 'ts' | 'js';
  readonly code: string;
  readonly runs: boolean;
  /** What it says that it prints: the comments behind console.log, or all of a block ```text that follows. */
  readonly prints: readonly string[];
}

const BLOCK = /^```(ts|js)( no_run| ignore)?\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms;
const PRINTED = /console\.log\(.*\);\s*\/\/ (.*)$/gm;

/** Tests of their own run these, in projects that have installed the package. */
const RUN_ELSEWHERE = ['docs/attacks.md', 'docs/library.md'];

/**
 * The blocks of code in a page that import the package; others are parts of files. As in Rust's docs, `no_run` behind
 * the language says that a block only has to compile, and `ignore` that it need not even be complete.
 */
const examplesIn = (path: string): Example[] => {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(BLOCK)]
    .filter(([, , mark, code]) => mark !== ' ignore' && /from 'equipoise(\/\w+)?';$/m.test(code))
    .map(({ index, 1: language, 2: mark, 3: code, 4: output }) => ({
      page: path,
      line: text.slice(0, index).split('\n').length,
      runs: mark === undefined && !RUN_ELSEWHERE.includes(path),
      language: language as 'ts' | 'js',
      code,
      prints: output?.trimEnd().split('\n') ?? [...code.matchAll(PRINTED)].map(([, printed]) => printed),
    }));
};

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (name) => `docs/${name.replaceAll(sep, '/')}`,
  ),
];
const examples = pages.filter((name) => name.endsWith('.md')).flatMap(examplesIn);
const nameOf = ({ page, line }: Example) => `${page.replace(/\.md$/, '').replaceAll('/', '-')}-${line}`;

/** Writes the examples as JavaScript into `folder`, and returns what the compiler has to say about them. */
function compile(): readonly string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const fileOf = (example: Example) => join(folder, `${nameOf(example)}.${example.language}`);
  for (const example of examples) writeFileSync(fileOf(example), `${example.code}\nexport {};\n`);
  const compiler = createRequire(import.meta.url)
    .resolve('typescript/package.json')
    .replace('package.json', 'bin/tsc');
  const options = '--target es2023 --lib es2023,dom --module nodenext --strict --skipLibCheck --types node';
  const files = examples.filter(({ language }) => language === 'ts').map(fileOf);
  const args = [compiler, '--ignoreConfig', ...options.split(' '), ...files];
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).stdout.trim().split('\n');
}

describe('the examples in the docs', () => {
  let problems: readonly string[];
  /** Where they write what they write. */
  let place: string;
  before(() => {
    place = mkdtempSync(join(tmpdir(), 'equipoise-docs-'));
    problems = compile();
  });
  after(() => {
    rmSync(place, { recursive: true });
    rmSync(folder, { recursive: true });
  });

  it('are found, and compile', () => {
    expect(examples.map(({ page }) => page)).to.include.members(['docs/data.md', 'docs/library.md']);
    expect(problems).to.deep.equal(['']);
  });

  for (const example of examples.filter(({ runs }) => runs)) {
    it(`run and print what they say: ${example.page}, line ${example.line}`, async () => {
      const script = join(folder, `${nameOf(example)}.js`);
      const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: place });
      expect(stdout.split('\n')).to.include.members(example.prints);
    });
  }
});
