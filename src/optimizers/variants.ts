// The variants of AGENT: one name for a group of settings.
import type { Bounds } from './coefficients.ts';
import type { PrepassName } from './prepasses.ts';

/** How AGENT treats the places where the published method fails. */
export interface AgentVariant {
  readonly prepass: PrepassName;
  /** The range of ĉ; none if left out. */
  readonly bounds?: Bounds;
  /** The first epoch whose steps are corrected, from 1. */
  readonly firstEpoch: number;
  /** The least number of steps between a mask update and the snapshot after it. */
  readonly snapshotDelay: number;
  /** Weights of channels that were all zero at the snapshot. */
  readonly emptyChannels: 'corrected' | 'uncorrected';
}

/** The names of the variants of AGENT. */
export type AgentVariantName = 'published' | 'stable';

/** The variants of AGENT: settings that belong together. */
export const agentVariants: { readonly [Name in AgentVariantName]: AgentVariant } = {
  /** AGENT as its authors publish it. */
  published: { prepass: 'published', firstEpoch: 1, snapshotDelay: 0, emptyChannels: 'corrected' },
  /** AGENT with the changes that docs/agent.md derives from the failures of the published variant. */
  stable: { prepass: 'matched', bounds: [0, 1], firstEpoch: 2, snapshotDelay: 5, emptyChannels: 'uncorrected' },
};
