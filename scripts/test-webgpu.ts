// Runs the suites for every backend on WebGPU, where the machine has an adapter: on Dawn, with the two packages that it
// needs beside a copy of this one in .webgpu/, which git ignores.
//
//   npm run test:webgpu
//
// Without an adapter it says so and passes. A software Vulkan is one (see docs/backends.md).

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { execPath, exit } from 'node:process';
import { INSTALL_WEBGPU, NO_ADAPTER } from '../src/backends/webgpu.ts';
import { copyPackage, runSuites, scratchFolder } from './backend-package.ts';

const SCRIPT = 'test:webgpu';

const copy = copyPackage(SCRIPT, scratchFolder('.webgpu'), INSTALL_WEBGPU);
const probe = join(copy.folder, 'dist', 'src', 'backends', 'probe.js');
const found = execFileSync(execPath, [probe, 'webgpu'], { encoding: 'utf8' });
const { state, detail } = JSON.parse(found.slice(found.lastIndexOf('{"state"')));
if (state !== 'ready') {
  console.error(`${SCRIPT} ${detail.includes(NO_ADAPTER) ? 'is skipped' : 'cannot run'}: ${detail}`);
  exit(detail.includes(NO_ADAPTER) ? 0 : 1);
}
console.log(`-- ${detail}`);
// A software adapter takes minutes for AutoAttack.
exit(runSuites(copy, 'webgpu', { more: ['webgpu/*.webgpu.js'], timeoutMs: 900_000 }));
