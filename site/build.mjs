// Builds the site into site/dist: the pages of the repository, the API reference, the playground and an example report.
//
//   npm run docs [-- --serve]
//
// Installs what only the site needs into site/node_modules. Pages keep their places, so that links are the same here as in
// the repository. Fails if a public name has no docstring or a link leads nowhere.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brokenLinks } from './check-links.mjs';
import { undocumentedNames } from './undocumented.mjs';

const site = fileURLToPath(new URL('.', import.meta.url));
const root = join(site, '..');
const content = join(site, '.content');

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Makes the README of each folder its index page, in names and in links. */
function useIndexPages(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  )) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8').replaceAll(/\]\(((?:[^()\s]*\/)?)README\.md/g, ']($1index.md');
    rmSync(path);
    writeFileSync(path.replace(/README\.md$/, 'index.md'), text);
  }
}
const bin = (name) => join(site, 'node_modules/.bin', name);
const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (modified(join(site, 'node_modules/.package-lock.json')) < modified(join(site, 'package-lock.json'))) {
  run('npm', ['ci', '--ignore-scripts'], site);
}

rmSync(content, { recursive: true, force: true });
mkdirSync(join(content, 'public'), { recursive: true });
for (const name of readdirSync(root).filter((name) => name.endsWith('.md')))
  cpSync(join(root, name), join(content, name));
const isPage = (path) => !/\.[a-z.]+$/.test(path) || /\.(md|png|jpg|svg)$/.test(path);
cpSync(join(root, 'docs'), join(content, 'docs'), { recursive: true, filter: isPage });
useIndexPages(content);

// Pages link to these files; the site has each as a page, as VitePress turns the link into one.
for (const name of ['LICENSE', 'CITATION.cff']) {
  const text = readFileSync(join(root, name), 'utf8');
  writeFileSync(join(content, `${name}.md`), `# ${name}\n\n\`\`\`text\n${text}\`\`\`\n`);
}

const playground = join(content, 'public/playground');
for (const name of ['style.css', 'playground.js']) {
  cpSync(join(root, 'docs/playground', name), join(playground, name));
}
const html = readFileSync(join(root, 'docs/playground/index.html'), 'utf8');
writeFileSync(join(playground, 'index.html'), html.replaceAll(/href="\.\.\/([\w-]+)\.md/g, 'href="../docs/$1.html'));

// A small sweep on the digits that come with Equipoise: enough for a report with every part.
const sweep = mkdtempSync(join(tmpdir(), 'equipoise-site-'));
try {
  const equipoise = (...args) => {
    const command = join(root, 'dist/src/cli/main.js');
    execFileSync(process.execPath, [command, ...args, '--quiet'], { cwd: sweep, stdio: 'inherit' });
  };
  const training = ['--model', 'mlp', '--epochs', '3', '--steps', '2', '--train-limit', '1000', '--test-limit', '200'];
  const grid = ['--sparsity', '0,0.95', '--optimizer', 'sgd', '--seeds', '0..1'];
  equipoise('sweep', '--dataset', 'mnist10k', ...training, ...grid, '--out', 'example');
  equipoise('report', 'example');
  const shown = join(content, 'public/report');
  cpSync(join(sweep, 'example'), shown, {
    recursive: true,
    filter: (path) => !/checkpoints$|gallery\.json$/.test(path),
  });
  renameSync(join(shown, 'report.html'), join(shown, 'index.html'));
  for (const run of readdirSync(shown, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const files = readdirSync(join(shown, run.name)).map((file) => `<li><a href="${file}">${file}</a></li>`);
    writeFileSync(
      join(shown, run.name, 'index.html'),
      `<!doctype html><html lang="en"><title>${run.name}</title><h1>${run.name}</h1><ul>${files.join('')}</ul></html>\n`,
    );
  }
} finally {
  rmSync(sweep, { recursive: true });
}

run(bin('typedoc'), ['--options', 'typedoc.json'], site);
const undocumented = undocumentedNames(JSON.parse(readFileSync(join(content, 'api.json'), 'utf8')));
for (const name of undocumented) console.error(`${name} is public and has no docstring.`);
if (undocumented.length > 0) process.exit(1);
rmSync(join(content, 'api.json'));
run(bin('vitepress'), ['build', '.'], site);

const broken = brokenLinks(join(site, 'dist'), process.env.SITE_BASE);
for (const { page, link } of broken) console.error(`${page} links to ${link}, which the site does not have.`);
if (broken.length > 0) process.exit(1);
console.log('The site is in site/dist.');
if (process.argv.includes('--serve')) run(bin('vitepress'), ['preview', '.'], site);
