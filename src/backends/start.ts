// Starts a backend by name, and the rule of `auto`.
import { UsageError } from '../core/errors.ts';
import type { KnownName } from '../core/known-name.ts';
import { BACKEND_CHOICES, BACKENDS, type BackendChoice, type BackendName } from '../ops/backend-names.ts';
import { firstLine, installedVersion } from './packages.ts';

/** Options of starting a backend. */
export interface StartOptions {
  /** Threads of the engine; default one for each core. */
  readonly threads?: number;
  /** Try the engine's kernels for an experimental flag of V8, and use them where they are faster. */
  readonly revectorize?: boolean;
  /** The build of the engine's kernels; default: the best that runs here. Another backend than the engine refuses it. */
  readonly kernels?: string;
  /** Called with a message for each backend that `auto` did not take, and if `revectorize` has no effect. */
  readonly warn?: (message: string) => void;
}

/** The backend that was started. */
export interface StartedBackend {
  readonly name: BackendName;
  /** What it runs on, such as the package and its version. */
  readonly detail: string;
  /** The build of the engine's kernels, on which results depend; null for other backends. */
  readonly kernels: string | null;
}

type Starter = (options: StartOptions & { readonly gpuOnly?: boolean }) => Promise<string>;

/** Each backend loads only when it is started. */
const STARTERS: { readonly [K in BackendName]: Starter } = {
  engine: async (options) => (await import('./engine.ts')).startEngine(options),
  tensorflow: async (options) => (await import('./tensorflow.ts')).startTensorflow(options),
  webgpu: async () => (await import('./webgpu.ts')).startWebgpu(),
  cpu: async () => (await import('./cpu.ts')).startCpu(),
};

/**
 * What `auto` tries, in this order: TensorFlow where someone installed its GPU package, provided that it sees a GPU; else
 * the engine; else the reference. It takes the first that starts; what is merely slower than the engine is never tried.
 */
export function automaticOrder(installed: (name: string) => boolean): readonly BackendName[] {
  return installed('@tensorflow/tfjs-node-gpu') ? ['tensorflow', 'engine', 'cpu'] : ['engine', 'cpu'];
}

/**
 * Starts a backend and makes it the current one of TensorFlow.js.
 *
 * @throws UsageError for an unknown name; InputError where the backend is missing or does not start, with the remedy
 */
export async function startBackend<Choice extends string>(
  choice: KnownName<Choice, BackendChoice>,
  options: StartOptions = {},
): Promise<StartedBackend> {
  if (choice !== 'auto') return start(backendName(choice), options);
  const order =
    options.kernels === undefined ? automaticOrder((name) => installedVersion(name) !== null) : ['engine' as const];
  for (const name of order.slice(0, -1)) {
    try {
      return await start(name, { ...options, gpuOnly: true });
    } catch (thrown) {
      options.warn?.(`auto passes over the backend ${name}: ${firstLine(thrown)}`);
    }
  }
  return start(order[order.length - 1], options);
}

async function start(name: BackendName, options: Parameters<Starter>[0]): Promise<StartedBackend> {
  if (name !== 'engine' && options.kernels !== undefined) {
    throw new UsageError(
      `--kernels applies only to the backend engine, got --kernels ${options.kernels} with ${name}. Leave one of them out.`,
    );
  }
  const detail = await STARTERS[name](options);
  const kernels = name === 'engine' ? (await import('./engine.ts')).kernelBuild() : null;
  return { name, detail, kernels };
}

function backendName(choice: string): BackendName {
  const name = BACKENDS.find((known) => known === choice);
  if (name === undefined) {
    throw new UsageError(`There is no backend ${choice}. Backends are ${BACKEND_CHOICES.join(', ')}.`);
  }
  return name;
}
