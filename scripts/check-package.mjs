// Packs the built project as a release does and lints the tarball: publint for its package.json, attw for its types.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'equipoise-check-'));
try {
  const output = execFileSync(process.execPath, [join(root, 'scripts/pack.mjs'), folder], { encoding: 'utf8' });
  const tarball = join(folder, JSON.parse(output)[0].filename);
  const checks = [
    ['publint', 'run', tarball, '--strict'],
    ['attw', tarball, '--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii'],
  ];
  for (const [tool, ...args] of checks) {
    const { status } = spawnSync(join(root, 'node_modules/.bin', tool), args, { cwd: folder, stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
