// The size that the attacks add to a page which has TensorFlow.js already.
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { build } from 'esbuild';
import { root } from './package.ts';

describe('equipoise/attacks, bundled for browsers', () => {
  it('takes at most 60 kB compressed, beside TensorFlow.js', async () => {
    const { outputFiles } = await build({
      entryPoints: [join(root, 'dist/attacks/index.js')],
      external: ['@tensorflow/*'],
      platform: 'browser',
      format: 'esm',
      bundle: true,
      minify: true,
      write: false,
    });
    expect(gzipSync(outputFiles[0].contents).length).to.be.within(10_000, 60_000);
  });
});
