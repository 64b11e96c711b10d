import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BACKENDS, type BackendName } from './names.ts';
import { firstLine, installedVersion } from './packages.ts';
import { automaticOrder } from './start.ts';
import { installTensorflow, TENSORFLOW_PACKAGES } from './tensorflow.ts';
import { INSTALL_WEBGPU, WEBGPU_PACKAGES } from './webgpu.ts';

export interface BackendReport {
  readonly name: BackendName;
  readonly state: 'ready' | 'broken' | 'not installed';
  /** What it runs on, or why it does not. */
  readonly detail: string;
  /** The command that adds it; null where it is installed. */
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

/** Starts every installed backend once, each in a process of its own, and says what `auto` takes. */
export async function inspectBackends(): Promise<{
  readonly backends: readonly BackendReport[];
  readonly automatic: BackendName;
}> {
  const backends: BackendReport[] = [];
  for (const name of BACKENDS) backends.push(await inspect(name));
  const order = automaticOrder((name) => installedVersion(name) !== null);
  const automatic = order.find((name) => backends.some((report) => report.name === name && report.state === 'ready'));
  return { backends, automatic: automatic ?? order[order.length - 1] };
}

async function inspect(name: BackendName): Promise<BackendReport> {
  const optional = OPTIONAL[name];
  if (optional && !optional.installed()) {
    return { name, state: 'not installed', detail: 'optional', install: optional.install };
  }
  return { name, ...(await probe(name)), install: null };
}

async function probe(name: BackendName): Promise<Pick<BackendReport, 'state' | 'detail'>> {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(execPath, [script, name], { timeout: 60_000 });
    return JSON.parse(stdout.slice(stdout.lastIndexOf('{"state"')));
  } catch (thrown) {
    return { state: 'broken', detail: `its process ended: ${firstLine(thrown)}` };
  }
}
