import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { execPath, versions } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { judge } from '../../src/engine/runtime/revectorize.ts';
import { bestBuild } from '../../src/engine/runtime/wasm.ts';

const SUITES = ['kernels', 'network', 'not-a-number'];

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe('engine kernels for 256-bit instructions', () => {
  after(async () => {
    await registerEngine({ threads: 1, build: bestBuild() });
    await tf.setBackend('cpu');
  });

  it('are judged by their results first, then by their speed', () => {
    expect(judge({ difference: 1e-7, speedUp: 1.4 })).to.equal(null);
    expect(judge({ difference: 0.3, speedUp: 1.4 })).to.match(/results differ by 0.3/);
    expect(judge({ difference: Number.NaN, speedUp: 1.4 })).to.match(/results differ by NaN/);
    expect(judge({ difference: 0, speedUp: 1.01 })).to.match(/not faster here \(1.01 times/);
  });

  it('are used when asked for, or the ordinary ones with the reason', async () => {
    const warnings: string[] = [];
    await registerEngine({ threads: 2, build: bestBuild() });
    await registerEngine({ threads: 2, revectorize: true, warn: (message) => warnings.push(message) });
    const build = engineInfo()?.build;
    if (warnings.length === 0) {
      expect(build).to.equal('relaxed-revec');
    } else {
      expect(warnings).to.have.length(1);
      // Not that the trial itself failed.
      expect(warnings[0]).to.match(/not relaxed-revec as asked for: (it is not faster|Node .* has no relaxed SIMD)/);
      expect(build).to.equal(bestBuild());
    }
  });

  it('are not taken for any other name', async () => {
    const error = await registerEngine({ build: 'fast' as 'simd' }).catch((thrown) => thrown);
    expect(error.message).to.match(/build of the engine must be one of simd, relaxed, relaxed-revec, got fast/);
  });

  // Where V8 has the flag. All code is compiled by the optimising compiler, which alone heeds it.
  if (Number(versions.node.split('.')[0]) >= 24) {
    it('obey the laws of all others', async () => {
      const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
      const { stdout } = await promisify(execFile)(execPath, [
        '--no-liftoff',
        `--import=${new URL('./on-revectorized.js', import.meta.url)}`,
        mocha,
        '--no-config',
        '--timeout=60000',
        ...SUITES.map((name) => here(`./${name}.test.js`)),
      ]);
      expect(stdout).to.match(/\d\d passing/);
    }).timeout(120_000);
  }
});
