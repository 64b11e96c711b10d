// Links TensorFlow.js for Node to the TensorFlow of a Python wheel.
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execPath, versions } from 'node:process';
import { fileURLToPath } from 'node:url';
import { InputError } from '../../core/errors.ts';
import { installCommand } from '../../core/shell.ts';
import { howItEnded, runProgram } from '../run-program.ts';
import { installTensorflow, TENSORFLOW_PACKAGES } from '../tensorflow.ts';
import { linkRecord, type TensorflowPackage, tensorflowPackage } from './binding.ts';
import { type Compiler, compile, complaint, findCompiler } from './compiler.ts';
import { LIST_DEVICES, remarksOnCards, type TensorflowDevices } from './devices.ts';
import { findNodeHeaders } from './node-headers.ts';
import { advice, findWheel, type Wheel, type WheelOptions } from './wheel.ts';

export interface LinkOptions extends WheelOptions {
  /** Called with a line for each step. */
  readonly say?: (line: string) => void;
}

export interface Linked extends TensorflowDevices {
  readonly package: string;
  readonly packageVersion: string;
  readonly binding: string;
  /** TensorFlow's folder. */
  readonly folder: string;
  /** Of a convolution and its gradients from the reference backend's, as a share of the largest value. */
  readonly difference: number;
}

/** The TensorFlow with which linking was tested. */
const SEEN_TO_WORK = '2.21.0';

/** Cards multiply float32 with fewer digits (TF32) unless told otherwise. */
const TOLERANCE = { cpu: 1e-5, gpu: 1e-2 };

/**
 * Compiles the binding of an installed package of TensorFlow.js against the TensorFlow of a Python wheel, puts it where
 * the package loads it, and checks it by a convolution and its gradients. Touches nothing outside the package's folder;
 * where anything fails the package is left as it was.
 *
 * @throws InputError saying what is missing or does not fit, and what to do
 */
export async function linkTensorflow(options: LinkOptions = {}): Promise<Linked> {
  const { gpu = false, say = () => {} } = options;
  const tensorflow = packageToLink(gpu);
  const wheel = await findWheel(options);
  if (gpu && !wheel.cuda) {
    throw new InputError(`The TensorFlow in ${wheel.folder} is built without CUDA. Get one with it:${advice(true)}`);
  }
  const compiler = await findCompiler();
  const headers = findNodeHeaders();
  say(`TensorFlow  ${wheel.folder}`);
  say(`package     ${tensorflow.name} ${tensorflow.version} in ${tensorflow.folder}`);
  say(`compiler    ${compiler.version}; Node's headers in ${headers}`);
  return inScratch(tensorflow, async (scratch) => {
    const seen = await listDevices(compiler, wheel, scratch, gpu);
    say(`devices     ${describeDevices(seen)}`);
    const compiled = await compileBinding({ compiler, wheel, headers, tensorflow, scratch, version: seen.version });
    say('compiled    the binding');
    const difference = await putInPlace({ compiled, wheel, tensorflow, scratch, version: seen.version });
    say(`checked     a convolution and its gradients: within ${difference.toExponential(1)} of the reference backend`);
    const { name, version: packageVersion, binding } = tensorflow;
    return { ...seen, package: name, packageVersion, binding, folder: wheel.folder, difference };
  });
}

/**
 * Takes away every binding that `linkTensorflow` put in place, and puts back what was there before.
 *
 * @returns the packages that were linked
 */
export function unlinkTensorflow(): readonly string[] {
  const linked = TENSORFLOW_PACKAGES.map(tensorflowPackage).filter(
    (found) => found !== null && existsSync(found.record),
  );
  return linked.map((tensorflow) => {
    const { name, binding, record, original } = tensorflow as TensorflowPackage;
    rmSync(binding, { force: true });
    if (existsSync(original)) renameSync(original, binding);
    rmSync(record);
    for (const folder of [dirname(binding), dirname(dirname(binding))]) {
      if (readdirSync(folder).length === 0) rmdirSync(folder);
    }
    return name;
  });
}

export const describeDevices = ({ devices }: TensorflowDevices): string =>
  devices.map(({ name }) => name.replace(/^.*device:/, '')).join(', ');

function packageToLink(gpu: boolean): TensorflowPackage {
  const [gpuPackage, cpuPackage] = TENSORFLOW_PACKAGES;
  const wanted = gpu ? [gpuPackage] : [cpuPackage, gpuPackage];
  const found = wanted.map(tensorflowPackage).find((candidate) => candidate !== null);
  if (found === undefined || found === null) {
    throw new InputError(`${wanted[0]} is not installed. Install it with: ${installTensorflow(wanted[0])}`);
  }
  if (sourcesOf(found).some((source) => !existsSync(source))) {
    throw new InputError(
      `${found.name} ${found.version} in ${found.folder} lacks the sources of its binding. Install it again: ${installCommand(`${found.name}@4.22.0`)}`,
    );
  }
  try {
    accessSync(found.folder, constants.W_OK);
  } catch (error) {
    const message = `${found.folder} cannot be written to. Link as the user who installed ${found.name}.`;
    throw new InputError(message, { cause: error });
  }
  return found;
}

const sourcesOf = ({ folder }: TensorflowPackage) =>
  ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(folder, 'binding', name));

/** Gives a folder beside the binding, so that files move into place whole, and takes it away again. */
async function inScratch<T>({ binding }: TensorflowPackage, work: (folder: string) => Promise<T>): Promise<T> {
  const [place, lib] = [dirname(binding), dirname(dirname(binding))];
  mkdirSync(place, { recursive: true });
  const scratch = mkdtempSync(join(place, 'linking-'));
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    for (const folder of [place, lib]) if (readdirSync(folder).length === 0) rmdirSync(folder);
  }
}

async function listDevices(
  compiler: Compiler,
  wheel: Wheel,
  scratch: string,
  gpu: boolean,
): Promise<TensorflowDevices> {
  const program = join(scratch, 'list-devices');
  const { include, libraries, folder } = wheel;
  const compiled = await compile(compiler, {
    kind: 'program',
    sources: { text: LIST_DEVICES },
    include: [include],
    libraries,
    output: program,
  });
  if (compiled.code !== 0) {
    throw new InputError(
      `A program of 20 lines does not compile against the TensorFlow in ${folder}: ${complaint(compiled)}. Equipoise was seen to work with TensorFlow ${SEEN_TO_WORK} and GCC 12.`,
    );
  }
  const ended = await runProgram(program, []);
  if (ended?.code !== 0) {
    throw new InputError(
      `The library ${libraries[0]} does not start: ${ended === null ? 'it cannot be run' : howItEnded(ended)}. Install a TensorFlow for this machine:${advice(gpu)}`,
    );
  }
  const seen: TensorflowDevices = JSON.parse(ended.stdout);
  if (gpu && !seen.devices.some(({ type }) => type === 'GPU')) {
    throw new InputError(
      `TensorFlow ${seen.version} in ${folder} is built for CUDA but sees no GPU. It says:${remarksOnCards(ended.stderr) || ' nothing'}\nCheck that nvidia-smi shows the card and that the CUDA libraries are installed (pip install 'tensorflow[and-cuda]'), or link without --gpu to use the CPU.`,
    );
  }
  return seen;
}

interface Parts {
  readonly wheel: Wheel;
  readonly tensorflow: TensorflowPackage;
  readonly scratch: string;
  /** TensorFlow's. */
  readonly version: string;
}

async function compileBinding({
  compiler,
  headers,
  wheel,
  tensorflow,
  scratch,
  version,
}: Parts & { readonly compiler: Compiler; readonly headers: string }): Promise<string> {
  const output = join(scratch, 'tfjs_binding.node');
  const napi = /napi-v(\d+)$/.exec(dirname(tensorflow.binding))?.[1];
  const compiled = await compile(compiler, {
    kind: 'binding',
    sources: sourcesOf(tensorflow),
    include: [headers, wheel.include],
    defines: [`NAPI_VERSION=${napi}`, 'BUILDING_NODE_EXTENSION'],
    libraries: wheel.libraries,
    output,
  });
  if (compiled.code === 0) return output;
  throw new InputError(
    `The binding of ${tensorflow.name} ${tensorflow.version} does not compile against TensorFlow ${version} and the headers of Node in ${headers} (Node ${versions.node}): ${complaint(compiled)}. The pair seen to work is tfjs-node 4.22.0 with TensorFlow ${SEEN_TO_WORK}.`,
  );
}

/** Puts the compiled binding where the package loads it; if it fails its check, everything is put back. */
async function putInPlace({
  compiled,
  wheel,
  tensorflow,
  scratch,
  version,
}: Parts & { readonly compiled: string }): Promise<number> {
  const { binding, record, original } = tensorflow;
  const before = [binding, record].map((path, i) => ({ path, kept: join(scratch, `before-${i}`) }));
  const hadOriginal = existsSync(original);
  if (existsSync(binding) && !existsSync(record)) copyFileSync(binding, original);
  for (const { path, kept } of before) if (existsSync(path)) copyFileSync(path, kept);
  try {
    writeFileSync(record, `${JSON.stringify(linkRecord(version, wheel.libraries), null, 2)}\n`);
    renameSync(compiled, binding);
    return await check(tensorflow);
  } catch (thrown) {
    for (const { path, kept } of before) {
      rmSync(path, { force: true });
      if (existsSync(kept)) renameSync(kept, path);
    }
    if (!hadOriginal) rmSync(original, { force: true });
    throw thrown;
  }
}

async function check({ name, version: packageVersion, binding }: TensorflowPackage): Promise<number> {
  const script = fileURLToPath(new URL('./check.js', import.meta.url));
  const ended = await runProgram(execPath, [script, name]);
  const outcome = ended?.code === 0 ? JSON.parse(ended.stdout.slice(ended.stdout.lastIndexOf('{'))) : null;
  const fault: string | null = outcome === null ? (ended ? howItEnded(ended) : 'Node cannot be run') : outcome.fault;
  if (fault) {
    throw new InputError(
      `The binding compiled, but ${name} ${packageVersion} does not start with it: ${fault}. Everything is as it was before; ${binding} was restored or removed.`,
    );
  }
  const { difference, gpu, version } = outcome as { difference: number; gpu: boolean; version: string };
  const tolerance = gpu ? TOLERANCE.gpu : TOLERANCE.cpu;
  if (!(difference <= tolerance)) {
    throw new InputError(
      `${name} ${packageVersion} computes wrongly with TensorFlow ${version}: a convolution or its gradients differ from the reference by ${difference.toExponential(1)} of the largest value, where ${tolerance} is allowed. Everything is as it was before.`,
    );
  }
  return difference;
}
