// Packs the built project into equipoise-VERSION.tgz. A release is made of that file alone.
//
//   node scripts/pack.mjs [FOLDER]
//
// It refuses a build whose sources have changed since. `npm pack` cannot check that, because its scripts do not run under
// ignore-scripts. So package.json lists no files, and what is packed is a staged copy.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DIGEST_FILE, sourcesDigest } from './sources-digest.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What the package holds beside its package.json. */
const CONTENTS = ['dist/attacks', 'dist/src', 'data', 'zoo', 'README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md'];

/** Fields of package.json that only a checkout needs; npm publishes no package that is private. */
const CHECKOUT_ONLY = ['private', 'files', 'scripts', 'devDependencies'];

function recordedDigest() {
  try {
    return readFileSync(join(root, DIGEST_FILE), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

const into = resolve(process.argv[2] ?? '.');
const recorded = recordedDigest();
if (recorded !== sourcesDigest(root)) {
  const found = recorded === null ? 'no complete build' : 'a build of other sources';
  console.error(
    `Expected a build of the present sources in dist, got ${found}; nothing was packed. Run npm run package.`,
  );
  process.exit(1);
}

const staged = mkdtempSync(join(tmpdir(), 'equipoise-package-'));
try {
  for (const path of CONTENTS) cpSync(join(root, path), join(staged, path), { recursive: true });
  const isPage = (path) => !/\.[a-z.]+$/.test(path) || path.endsWith('.md');
  cpSync(join(root, 'docs'), join(staged, 'docs'), { recursive: true, filter: isPage });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const field of CHECKOUT_ONLY) delete manifest[field];
  writeFileSync(join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', into];
  const output = execFileSync('npm', args, { cwd: staged, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  process.stdout.write(output);
} finally {
  rmSync(staged, { recursive: true });
}
