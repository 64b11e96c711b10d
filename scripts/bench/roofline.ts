// Compares each kernel with the limits of the machine.
import { type Action, actionsOf } from './actions.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { higher, type Limits, measureLimits } from './limits.ts';
import { disposeNet, randomBatch, randomNet } from './nets.ts';
import { type Executed, fastest, profiled } from './profile.ts';
import { min, sum } from './statistics.ts';
import { markdownTable, number, percent } from './table.ts';
import { milliseconds } from './turns.ts';
import type { Work } from './work.ts';

/** All calls of one kind. */
export interface Kind {
  readonly name: string;
  readonly milliseconds: number;
  /** Undefined if the work of a kernel is not counted. */
  readonly work: Work | undefined;
}

/** Kernels by name, convolutions also by the height of what they write or, of weight gradients, read. */
function kindOf({ call }: Executed): string {
  switch (call.kernel) {
    case 'convolve':
    case 'convolveFull':
    case 'convolveWinograd':
    case 'weightGradient':
    case 'weightGradientFull':
      return `${call.kernel}, ${call.fields.rows} rows`;
    default:
      return call.kernel;
  }
}

/** Adds up calls of the same kind, the longest first. */
export function byKind(executed: readonly Executed[]): Kind[] {
  const kinds = new Map<string, Kind>();
  for (const item of executed) {
    const name = kindOf(item);
    const before = kinds.get(name);
    const { work } = item;
    kinds.set(name, {
      name,
      milliseconds: (before?.milliseconds ?? 0) + item.milliseconds,
      work: work && {
        flops: (before?.work?.flops ?? 0) + work.flops,
        bytes: (before?.work?.bytes ?? 0) + work.bytes,
      },
    });
  }
  return [...kinds.values()].toSorted((a, b) => b.milliseconds - a.milliseconds);
}

/** Achieved rates over limits; `roof` is the share of what arithmetic and memory together allow. */
export interface Shares {
  readonly flops: number;
  readonly bytes: number;
  readonly roof: number;
}

/** Roofline (Williams et al. 2009): time ≥ max(flops / peak, bytes / bandwidth). */
export function sharesOf({ flops, bytes }: Work, milliseconds: number, limits: Limits): Shares {
  const arithmetic = (1000 * flops) / milliseconds / limits.flopsPerSecond;
  const memory = (1000 * bytes) / milliseconds / limits.memory;
  return { flops: arithmetic, bytes: memory, roof: Math.max(arithmetic, memory) };
}

/** Kernels of less than this share of the time are added up. */
const SMALL = 0.01;

function row({ name, milliseconds, work }: Kind, total: number, limits: Limits): string[] {
  const cells = [name, number(milliseconds), percent(milliseconds / total)];
  if (!work) return [...cells, '–', '–', '–', '–', '–'];
  const { flops, bytes, roof } = sharesOf(work, milliseconds, limits);
  const gigaASecond = (count: number): string => number(count / milliseconds / 1e6);
  return [...cells, gigaASecond(work.flops), percent(flops), gigaASecond(work.bytes), percent(bytes), percent(roof)];
}

const HEADER = [
  'kernel',
  'ms',
  'of the time',
  'GFLOP/s',
  'of the peak',
  'GB/s',
  'of the bandwidth',
  'of the roofline',
] as const;

interface Profile {
  readonly action: Action;
  readonly sparsity: number;
  /** Milliseconds of the whole as it runs, without a barrier after each kernel. */
  readonly whole: number;
  readonly kinds: readonly Kind[];
}

async function profileOf(action: Action, sparsity: number, context: Context): Promise<Profile> {
  const net = randomNet('vgg16', sparsity, context.width);
  const batch = randomBatch(context.batch);
  const actions = actionsOf(net, batch);
  await actions[action]();
  const whole: number[] = [];
  const profiles: (readonly Executed[])[] = [];
  for (let round = 0; round < context.rounds; round++) {
    whole.push(await milliseconds(actions[action]));
    profiles.push(await profiled(actions[action]));
  }
  actions.dispose();
  disposeNet(net);
  return { action, sparsity, whole: min(whole), kinds: byKind(fastest(profiles)) };
}

function profileTable({ action, sparsity, whole, kinds }: Profile, limits: Limits): string {
  const total = sum(kinds.map(({ milliseconds }) => milliseconds));
  const large = kinds.filter(({ milliseconds }) => milliseconds >= SMALL * total);
  const rest = total - sum(large.map(({ milliseconds }) => milliseconds));
  const work = kinds.reduce<Work>(
    (all, { work: some }) => ({ flops: all.flops + (some?.flops ?? 0), bytes: all.bytes + (some?.bytes ?? 0) }),
    { flops: 0, bytes: 0 },
  );
  return [
    `**VGG16, ${action}, ${percent(sparsity)}**: ${number(whole)} ms as it runs; one kernel after another ${number(total)} ms:`,
    '',
    markdownTable(HEADER, [
      ...large.map((kind) => row(kind, total, limits)),
      ['others', number(rest), percent(rest / total), '', '', '', '', ''],
      row({ name: 'all', milliseconds: total, work }, total, limits),
    ]),
  ].join('\n');
}

/** What share of the machine's arithmetic and memory bandwidth each kernel reaches. */
export const roofline: Section = {
  name: 'roofline',
  conditions: inRounds,
  run: async (context) => {
    // Twice, so that a busy moment of the machine does not lower them.
    const before = measureLimits();
    const profiles: Profile[] = [];
    for (const sparsity of context.sparsities) {
      for (const action of ['attack', 'step'] as const) profiles.push(await profileOf(action, sparsity, context));
      context.log(`  ${percent(sparsity)} profiled`);
    }
    const limits = higher(before, measureLimits());
    const giga = (value: number): string => number(value / 1e9);
    return [
      '### Roofline',
      '',
      `Measured on ${context.threads} threads by kernels of the same build: ${giga(limits.flopsPerSecond)} GFLOP/s of multiply-adds in registers; ${giga(limits.memory)} GB/s of STREAM's triad in memory, ${giga(limits.cache)} GB/s in the second-level cache.`,
      '',
      profiles.map((profile) => profileTable(profile, limits)).join('\n\n'),
    ].join('\n');
  },
};
