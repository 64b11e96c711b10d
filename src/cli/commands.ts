import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's own code, and nothing else's. */
  load(): Promise<Command>;
}

/** In the order in which help lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'doctor',
    summary: 'show what this machine can compute with',
    load: async () => (await import('./doctor.ts')).doctor,
  },
];
