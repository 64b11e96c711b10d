import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { tinyConfig } from './tiny.ts';

const PROCESS = fileURLToPath(new URL('./memory-process.js', import.meta.url));

describe('the memory of a run', () => {
  it('is resident to the same size over five hundred steps', async () => {
    const out = await mkdtemp(join(tmpdir(), 'equipoise-'));
    const config = tinyConfig({
      backend: 'engine',
      model: 'cnn',
      width: 0.125,
      optimizer: 'agent',
      trainLimit: 512,
      epochs: 52,
    });
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        PROCESS,
        join(out, 'run'),
        JSON.stringify(config),
      ]);
      const resident = stdout.trim().split('\n').map(Number);
      expect(resident.length).to.be.at.least(80);
      // In the first three hundred steps the runtime compiles, and its heap finds its size.
      const early = Math.max(...resident.slice(30, 40));
      const late = Math.max(...resident.slice(-10));
      expect(late / early, `${early} bytes, then ${late}`).to.be.below(1.1);
    } finally {
      await rm(out, { recursive: true });
    }
  });
});
