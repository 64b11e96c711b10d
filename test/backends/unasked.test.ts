import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

describe('optional packages', () => {
  let base = '';
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'equipoise-'));
  });
  after(() => rmSync(base, { recursive: true }));

  it('are neither loaded nor looked for, nor warned of, by a run on the backend that auto takes', () => {
    const [hooks, preload, log] = ['hooks.mjs', 'preload.mjs', 'imports'].map((name) => join(base, name));
    writeFileSync(
      hooks,
      `import { appendFileSync } from 'node:fs';
       export function resolve(name, context, next) {
         appendFileSync(${JSON.stringify(log)}, name + '\\n');
         return next(name, context);
       }`,
    );
    writeFileSync(
      preload,
      `import { register } from 'node:module'; register(${JSON.stringify(pathToFileURL(hooks).href)});`,
    );
    const tiny =
      '--dataset synthetic --model mlp --width 0.1 --train-limit 64 --epochs 1 --sparsity 0.5 --method static --quiet';
    const { status, stderr } = spawnSync(
      execPath,
      ['--import', pathToFileURL(preload).href, MAIN, 'train', ...tiny.split(' '), '--out', join(base, 'run')],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).to.deep.equal([0, '']);
    const imports = readFileSync(log, 'utf8').trim().split('\n');
    expect(imports).to.include.members(['@tensorflow/tfjs-core', './engine.js']);
    expect(
      imports.filter((name) => /tfjs-node|webgpu|\/tensorflow|tfjs-converter|tfjs-layers/.test(name)),
    ).to.deep.equal([]);
  });
});
