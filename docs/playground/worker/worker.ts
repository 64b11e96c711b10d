// The page's worker: it holds the models and attacks them, so that the page stays at hand meanwhile.

import { attackNorms } from '../../../attacks/index.ts';
import { attackImage, gradientOf } from './attack-image.ts';
import { availableBackends, precisionNote, startBackend } from './backends.ts';
import { type Model, modelOf } from './models.ts';
import type { Answer, Calculations, Question, Side } from './protocol.ts';

const models = new Map<Side, Model>();
let cancellation = new AbortController();

function modelAt(side: Side): Model {
  const model = models.get(side);
  if (model === undefined) throw new Error('Expected a model that is loaded, got none. Choose one.');
  return model;
}

const calculations: Calculations = {
  describe: async () => ({ norms: attackNorms, backends: await availableBackends() }),
  useBackend: async (name) => {
    await startBackend(name);
    return precisionNote();
  },
  load: async (side, source) => {
    models.get(side)?.dispose();
    models.delete(side);
    const model = await modelOf(source);
    models.set(side, model);
    return { inputShape: model.inputShape, classes: model.classes };
  },
  attack: (side, pixels, request) => attackImage(modelAt(side), pixels, request, cancellation.signal),
  time: async () => {
    const run = async () => {
      const started = performance.now();
      for (const model of models.values()) await gradientOf(model);
      return performance.now() - started;
    };
    // The first run compiles kernels and copies weights.
    await run();
    return Math.min(await run(), await run());
  },
};

async function answer({ id, method, args }: Extract<Question, { kind: 'call' }>): Promise<Answer> {
  try {
    return { id, value: await (calculations[method] as (...given: readonly unknown[]) => Promise<unknown>)(...args) };
  } catch (error) {
    const cancelled = cancellation.signal.aborted && error === cancellation.signal.reason;
    return { id, error: error instanceof Error ? error.message : String(error), cancelled };
  }
}

/** Calls one after another: models and backends are shared. */
let queue: Promise<void> = Promise.resolve();
addEventListener('message', ({ data }: MessageEvent<Question>) => {
  if (data.kind === 'cancel') {
    cancellation.abort(new Error('The attack was cancelled.'));
    // What was asked before is cancelled, what is asked from now on is not.
    queue = queue.then(() => {
      cancellation = new AbortController();
    });
  } else queue = queue.then(async () => postMessage(await answer(data)));
});
