// The commands by name. Each is loaded when it is called.
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's own code, and nothing else's. */
  load(): Promise<Command>;
}

/** The commands in the order in which help lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'train',
    summary: 'train a sparse or dense classifier on adversarial examples',
    load: async () => (await import('./commands/train.ts')).train,
  },
  {
    name: 'evaluate',
    summary: 'measure clean and robust accuracy of a checkpoint',
    load: async () => (await import('./commands/evaluate.ts')).evaluate,
  },
  {
    name: 'certify',
    summary: 'bound the accuracy of a smoothed classifier from below',
    load: async () => (await import('./commands/certify.ts')).certify,
  },
  {
    name: 'attack',
    summary: 'write adversarial images of a checkpoint, and show them',
    load: async () => (await import('./commands/attack.ts')).attack,
  },
  {
    name: 'sweep',
    summary: 'train and evaluate a grid of settings, and report it',
    load: async () => (await import('./commands/sweep.ts')).sweep,
  },
  {
    name: 'worker',
    summary: 'make runs of a sweep that a queue hands out',
    load: async () => (await import('./commands/worker.ts')).worker,
  },
  {
    name: 'report',
    summary: 'write the tables and the page of runs',
    load: async () => (await import('./commands/report.ts')).report,
  },
  {
    name: 'runs',
    summary: 'list runs, filter them by settings, and compare two of them',
    load: async () => (await import('./commands/runs.ts')).runs,
  },
  {
    name: 'watch',
    summary: 'show runs in a browser while they are made',
    load: async () => (await import('./commands/watch.ts')).watch,
  },
  {
    name: 'export',
    summary: 'write a network for PyTorch, TensorFlow.js or browsers',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  {
    name: 'import',
    summary: 'make a checkpoint of what was exported, or of PyTorch weights',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  {
    name: 'models',
    summary: 'list the trained networks of the zoo',
    load: async () => (await import('./commands/models.ts')).modelsCommand,
  },
  {
    name: 'data',
    summary: 'fetch, add and describe data sets',
    load: async () => (await import('./commands/data.ts')).data,
  },
  {
    name: 'doctor',
    summary: 'show what this machine can compute with',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'link-tensorflow',
    summary: 'make the backend tensorflow from the TensorFlow of a Python wheel',
    load: async () => (await import('./commands/link-tensorflow.ts')).linkTensorflowCommand,
  },
  {
    name: 'completion',
    summary: 'print the script by which bash or zsh completes commands, flags and values',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'help',
    summary: 'show help on a command',
    load: async () => (await import('./commands/help.ts')).help,
  },
];
