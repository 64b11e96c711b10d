// What `doctor` shows of the backends.
import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BACKENDS, type BackendChoice, type BackendName } from '../ops/backend-names.ts';
import { firstLine, installedVersion } from './packages.ts';
import { installTensorflow, TENSORFLOW_PACKAGES } from './tensorflow.ts';
import { INSTALL_WEBGPU, WEBGPU_PACKAGES } from './webgpu.ts';

export interface BackendReport {
  readonly name: BackendName;
  readonly state: 'ready' | 'broken' | 'not installed';
  /** What it runs on, or why it does not. */
  readonly detail: string;
  /** The command that adds it; null if it is installed. */
  readonly install: string | null;
}

const anyInstalled = (names: readonly string[]) => names.some((name) => installedVersion(name) !== null);

/** What must be installed beside Equipoise, and how; the others come with it. */
const OPTIONAL: { readonly [K in BackendName]?: { readonly installed: () => boolean; readonly install: string } } = {
  tensorflow: {
    installed: () => anyInstalled(TENSORFLOW_PACKAGES),
    install: installTensorflow(TENSORFLOW_PACKAGES[1]),
  },
  webgpu: { installed: () => WEBGPU_PACKAGES.every((name) => anyInstalled([name])), install: INSTALL_WEBGPU },
};

/** What `--backend auto` takes on this machine, and by which part of its rule. */
export interface AutomaticChoice {
  readonly name: BackendName;
  readonly why: string;
}

/** Starts every installed backend once, each in a process of its own, and says what `auto` takes, and why. */
export async function inspectBackends(): Promise<{
  readonly backends: readonly BackendReport[];
  readonly automatic: AutomaticChoice;
}> {
  const backends: BackendReport[] = [];
  for (const name of BACKENDS) backends.push(await inspect(name));
  return { backends, automatic: await inspectAutomatic() };
}

async function inspectAutomatic(): Promise<AutomaticChoice> {
  const { name = 'cpu', detail, passedOver = [] } = await probe('auto');
  if (passedOver.length > 0) return { name, why: passedOver.join('; ') };
  const [gpuPackage] = TENSORFLOW_PACKAGES;
  switch (name) {
    case 'tensorflow':
      return { name, why: `${gpuPackage} is installed and sees a GPU` };
    case 'engine':
      return { name, why: `${gpuPackage} is not installed, and nothing else comes before the engine` };
    default:
      return { name, why: detail };
  }
}

async function inspect(name: BackendName): Promise<BackendReport> {
  const optional = OPTIONAL[name];
  if (optional && !optional.installed()) {
    return { name, state: 'not installed', detail: 'optional', install: optional.install };
  }
  const { state, detail } = await probe(name);
  return { name, state, detail, install: null };
}

interface Probed extends Pick<BackendReport, 'state' | 'detail'> {
  /** What was started, and what `auto` passed over; only where something was. */
  readonly name?: BackendName;
  readonly passedOver?: readonly string[];
}

async function probe(name: BackendChoice): Promise<Probed> {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(execPath, [script, name], { timeout: 60_000 });
    return JSON.parse(stdout.slice(stdout.lastIndexOf('{"state"')));
  } catch (thrown) {
    return { state: 'broken', detail: `its process ended: ${firstLine(thrown)}` };
  }
}
