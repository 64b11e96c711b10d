// Compares ONNX networks with PyTorch: node dist/scripts/compare-onnx.js FOLDER [NETWORK …], on the files that
// scripts/onnx_reference.py wrote. Prints the relative l2 distance of logits and input gradients, and fails beyond the bounds.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { argv, exit } from 'node:process';
import { startBackend } from '../src/backends/start.ts';
import { loadTarget } from '../src/evaluation/targets/target.ts';
import { distancesFrom, readOnnxReference } from '../test/evaluation/onnx-reference.ts';

const LOGITS = 1e-4;
/** Or twice PyTorch's own distance between float32 and float64, where that is larger. */
const GRADIENT = 1e-3;

const [folder, ...chosen] = argv.slice(2);
if (folder === undefined) {
  console.error('Name the folder that scripts/onnx_reference.py wrote: node dist/scripts/compare-onnx.js FOLDER');
  exit(2);
}
await startBackend('engine', { threads: 2 });
const written = readdirSync(folder)
  .filter((name) => name.endsWith('.onnx'))
  .map((name) => basename(name, '.onnx'));
let failed = 0;
for (const name of chosen.length > 0 ? chosen : written) {
  const reference = readOnnxReference(join(folder, `${name}.json`));
  try {
    const started = performance.now();
    const target = await loadTarget(join(folder, `${name}.onnx`));
    const { logits, gradient } = distancesFrom(reference, target.classify);
    target.dispose();
    const bound = Math.max(GRADIENT, 2 * reference.float32ToFloat64.gradient);
    const holds = logits <= LOGITS && gradient <= bound;
    if (!holds) failed++;
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(
      `${holds ? 'agrees ' : 'DIFFERS'} ${name.padEnd(20)} ${reference.exporter.padEnd(11)} opset ${reference.opset}  logits ${logits.toExponential(1)}  gradient ${gradient.toExponential(1)} (PyTorch's own ${reference.float32ToFloat64.gradient.toExponential(1)})  ${seconds} s`,
    );
  } catch (error) {
    failed++;
    console.log(`FAILS   ${name}: ${(error as Error).message}`);
  }
}
exit(failed === 0 ? 0 : 1);
