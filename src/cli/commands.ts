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
    name: 'train',
    summary: 'train a sparse or dense classifier on adversarial examples',
    load: async () => (await import('./train.ts')).train,
  },
  {
    name: 'evaluate',
    summary: 'measure clean and robust accuracy of a checkpoint',
    load: async () => (await import('./evaluate.ts')).evaluate,
  },
  {
    name: 'attack',
    summary: 'write adversarial images of a checkpoint, and show them',
    load: async () => (await import('./attack.ts')).attack,
  },
  {
    name: 'sweep',
    summary: 'train and evaluate a grid of settings, and report it',
    load: async () => (await import('./sweep.ts')).sweep,
  },
  {
    name: 'report',
    summary: 'write the tables and the page of runs',
    load: async () => (await import('./report.ts')).report,
  },
  {
    name: 'export',
    summary: 'write a network for PyTorch, TensorFlow.js or browsers',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'import',
    summary: 'make a checkpoint of what was exported, or of PyTorch weights',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'models',
    summary: 'list the trained networks of the zoo',
    load: async () => (await import('./models.ts')).modelsCommand,
  },
  {
    name: 'data',
    summary: 'fetch, add and describe data sets',
    load: async () => (await import('./data.ts')).data,
  },
  {
    name: 'doctor',
    summary: 'show what this machine can compute with',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'link-tensorflow',
    summary: 'make the backend tensorflow from the TensorFlow of a Python wheel',
    load: async () => (await import('./link-tensorflow.ts')).linkTensorflowCommand,
  },
];
