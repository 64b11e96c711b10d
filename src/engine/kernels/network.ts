// The kernels of `RunNetwork` and its gradient: a whole network in one op.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import {
  batchNorms,
  type Program,
  RunNetwork,
  type RunNetworkAttributes,
  RunNetworkGradient,
  type RunNetworkGradientAttributes,
} from '../../ops/network.ts';
import type { EngineBackend } from '../backend.ts';
import { isLight } from '../blocked/sparse-convolution.ts';
import { paddedBatch, SUPER_BLOCK } from '../layout/layout.ts';
import { planBackward } from '../network/backward.ts';
import type { Wants } from '../network/backward-pass.ts';
import { buildGraph } from '../network/build-graph.ts';
import { type ForwardPlan, planForward } from '../network/forward.ts';
import type { Statistics } from '../network/forward-pass.ts';
import { type Plan, type PlanOptions, value } from '../network/plan.ts';
import { Run, type RunInputs } from '../network/run.ts';
import { OutOfMemory } from '../runtime/heap.ts';
import { engineKernel } from './kernel.ts';

/** What the tensor `residuals` stands for. */
interface Residuals {
  readonly plan: ForwardPlan;
  readonly saved: number;
}

const residualsOf = new WeakMap<object, Residuals>();

interface Plans {
  readonly forward: ForwardPlan;
  readonly backward: Partial<Record<Wants, Plan>>;
}

const KERNEL = '.kernel';
const NONE: ReadonlySet<string> = new Set();

const plansOf = new WeakMap<Program, Map<string, Plans>>();

/** Plans are made once a program, batch size, mode and width of the kernels' tiles. */
function plansFor(program: Program, options: PlanOptions): Plans {
  let plans = plansOf.get(program);
  if (plans === undefined) {
    plans = new Map();
    plansOf.set(program, plans);
  }
  const { norm, tiles, light, full } = options;
  const key = [options.batch, norm, options.keep, tiles, 'light', ...light, 'full', ...full].join(' ');
  let made = plans.get(key);
  if (made === undefined) {
    made = { forward: planForward(buildGraph(program, norm === 'folded', tiles), options), backward: {} };
    plans.set(key, made);
  }
  return made;
}

function backwardPlan(program: Program, forward: ForwardPlan, wants: Wants): Plan {
  const { backward } = plansFor(program, forward.options);
  backward[wants] ??= planBackward(forward, wants);
  return backward[wants];
}

/** Names the batch size that would fit, judged by what this one needs. */
function explainingMemory<T>(plan: ForwardPlan, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
    const { batch, norm } = plan.options;
    const perImage = (plan.savedBytes + (norm === 'folded' ? 1 : 2) * plan.scratchBytes) / paddedBatch(batch);
    const fits = Math.max(1, Math.floor((plan.savedBytes + error.free) / perImage / SUPER_BLOCK) * SUPER_BLOCK);
    if (fits >= batch) throw error;
    // biome-ignore lint/style/useErrorCause: the same failure in better words.
    throw new OutOfMemory(
      error.bytes,
      error.free,
      `A batch of ${batch} images does not fit into the engine's heap (4 GB); ${fits} images would.`,
    );
  }
}

/** Names of the convolutions with few nonzeros, whose kernels need no gradient of every weight. */
function lightConvolutions(
  { parameterNames, probeNames, structures }: RunNetworkAttributes,
  parameters: readonly TensorInfo[],
): ReadonlySet<string> {
  const light = parameterNames.filter((name, i) => {
    const nonzeros = structures[i]?.positions.length ?? sizeOf(parameters[i].shape);
    return name.endsWith(KERNEL) && isLight(nonzeros) && !probeNames.includes(name);
  });
  return new Set(light.map((name) => name.slice(0, -KERNEL.length)));
}

/** Names of the convolutions whose kernels have every weight. */
const fullConvolutions = ({ parameterNames, structures }: RunNetworkAttributes): ReadonlySet<string> =>
  new Set(
    parameterNames
      .filter((name, i) => name.endsWith(KERNEL) && !structures[i])
      .map((name) => name.slice(0, -KERNEL.length)),
  );

/** The inputs of both kernels by name. */
function namedTensors(
  inputs: readonly TensorInfo[],
  first: number,
  { program, parameterNames, stateNames, structures }: RunNetworkAttributes,
): Pick<RunInputs, 'program' | 'tensors' | 'structures'> {
  const names = [...parameterNames, ...stateNames];
  return {
    program,
    tensors: new Map(names.map((name, i) => [name, inputs[first + i]])),
    structures: new Map(parameterNames.map((name, i) => [name, structures[i]])),
  };
}

function runForward(
  backend: EngineBackend,
  plan: ForwardPlan,
  inputs: Omit<RunInputs, 'graph' | 'saved'>,
  after: (run: Run) => void = () => {},
): Residuals {
  const saved = backend.heap.allocate(plan.savedBytes);
  try {
    new Run(backend, { ...inputs, graph: plan.graph, saved }).execute(plan, false, after);
  } catch (error) {
    backend.heap.free(saved);
    throw error;
  }
  return { plan, saved };
}

export const runNetwork = engineKernel<readonly TensorInfo[], RunNetworkAttributes>(
  RunNetwork,
  ({ inputs, attrs, backend }) => {
    const { program, training, residuals } = attrs;
    const [images] = inputs;
    const batch = images.shape[0];
    const { forward } = plansFor(program, {
      batch,
      norm: training ? 'batch' : 'folded',
      keep: residuals ? (training ? 'parameters' : 'images') : 'nothing',
      tiles: backend.tiles,
      light: training ? lightConvolutions(attrs, inputs.slice(1)) : NONE,
      full: fullConvolutions(attrs),
    });
    const logits = backend.allocate([batch, forward.graph.outputs]);
    // A residual layer's shortcut runs before its body.
    const normalized = (training ? batchNorms(program) : []).map((name) => forward.statistics.get(name) as Statistics);
    const statistics = normalized.flatMap(({ channels }) => [
      backend.allocate([channels]),
      backend.allocate([channels]),
    ]);
    return explainingMemory(forward, () => {
      const kept = runForward(
        backend,
        forward,
        { ...namedTensors(inputs, 1, attrs), images: backend.pointer(images), logits: logits.pointer },
        (run) => {
          normalized.forEach(({ channels, mean, variance }, i) => {
            [mean, variance].forEach((numbers, j) => {
              const from = backend.heap.float32(value(numbers, run), channels);
              backend.heap.float32(statistics[2 * i + j].pointer, channels).set(from);
            });
          });
        },
      );
      const owner = backend.own(() => backend.heap.free(kept.saved));
      residualsOf.set(owner.dataId, kept);
      return [logits, owner, ...statistics];
    });
  },
);

export const runNetworkGradient = engineKernel<readonly TensorInfo[], RunNetworkGradientAttributes>(
  RunNetworkGradient,
  ({ inputs, attrs, backend }) => {
    const { program, wants, parameterNames, probeNames, structures } = attrs;
    const [dLogits, residuals, images, ...rest] = inputs;
    const { plan, saved } = residualsOf.get(residuals.dataId) as Residuals;
    const named = namedTensors(rest, 0, attrs);
    const dLogitsAt = backend.pointer(dLogits);

    if (wants === 'images') {
      const dImages = backend.allocate(images.shape);
      explainingMemory(plan, () =>
        new Run(backend, {
          ...named,
          graph: plan.graph,
          saved,
          dLogits: dLogitsAt,
          dImages: dImages.pointer,
        }).execute(backwardPlan(program, plan, 'images'), true),
      );
      return [dImages];
    }

    const shapes = new Map<string, readonly number[]>(
      plan.graph.nodes.flatMap((node) => (node.kind === 'conv' ? [[`${node.name}.kernel`, node.shape] as const] : [])),
    );
    const gradients = parameterNames.map((name, i) => {
      const { shape } = named.tensors.get(name) as TensorInfo;
      const length = structures[i]?.positions.length;
      return backend.allocate(length === undefined ? shape : [length]);
    });
    const probes = probeNames.map((name) => backend.allocate(shapes.get(name) ?? []));
    // Parameters that the network does not use, and kernels without nonzeros, have the gradient 0.
    for (const tensor of [...gradients, ...probes]) backend.heap.float32(tensor.pointer, sizeOf(tensor.shape)).fill(0);
    let own: Residuals | undefined;
    try {
      return explainingMemory(plan, () => {
        let kept: Residuals = { plan, saved };
        if (plan.options.norm === 'folded') {
          // What was kept is enough for the images only: run again, layer by layer, with the same statistics.
          const { forward } = plansFor(program, {
            ...plan.options,
            norm: 'running',
            keep: 'parameters',
            light: lightConvolutions(attrs, rest),
          });
          const logits = backend.heap.allocate(4 * plan.options.batch * forward.graph.outputs);
          try {
            own = runForward(backend, forward, { ...named, images: backend.pointer(images), logits });
          } finally {
            backend.heap.free(logits);
          }
          kept = own;
        }
        new Run(backend, {
          ...named,
          graph: kept.plan.graph,
          saved: kept.saved,
          dLogits: dLogitsAt,
          gradients: new Map(parameterNames.map((name, i) => [name, gradients[i].pointer])),
          probes: new Map(probeNames.map((name, i) => [name, probes[i].pointer])),
        }).execute(backwardPlan(program, kept.plan, 'parameters'), true);
        return [...gradients, ...probes];
      });
    } finally {
      if (own) backend.heap.free(own.saved);
    }
  },
);
