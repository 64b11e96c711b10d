// The attacks and norms that the page offers, and what it says of them.
import type { AttackName, NormName } from '../../../../attacks/index.ts';

/** What the page says of an attack, and what its number of steps is called; null if it takes one step. */
export interface AttackChoice {
  readonly title: string;
  readonly note: string;
  readonly steps: { readonly title: string; readonly usual: number } | null;
}

const steps = (usual: number) => ({ title: 'Steps', usual });

export const ATTACK_CHOICES: { readonly [Name in AttackName]: AttackChoice } = {
  pgd: {
    title: 'PGD',
    note: 'Climbs the loss in small steps from a random point of the ball. The usual first attack.',
    steps: steps(10),
  },
  fgsm: {
    title: 'FGSM',
    note: 'One step along the gradient, as long as ε allows. Fast and weak.',
    steps: null,
  },
  bim: { title: 'BIM', note: 'PGD that starts at the image itself.', steps: steps(10) },
  'mi-fgsm': { title: 'MI-FGSM', note: 'BIM along the accumulated gradient.', steps: steps(10) },
  apgd: {
    title: 'Auto-PGD',
    note: 'PGD that chooses its own step sizes.',
    steps: steps(50),
  },
  'apgd-t': {
    title: 'Auto-PGD, targeted',
    note: 'Goes for each other class in turn, the likeliest first.',
    steps: steps(20),
  },
  square: {
    title: 'Square',
    note: 'Random search that asks only for predictions, so masked gradients do not stop it.',
    steps: { title: 'Queries', usual: 200 },
  },
  'fab-t': {
    title: 'FAB-T',
    note: 'Searches the smallest change; one larger than ε does not count.',
    steps: steps(20),
  },
  deepfool: {
    title: 'DeepFool',
    note: 'Steps to the nearest boundary, taken as flat; one further than ε does not count.',
    steps: steps(50),
  },
  cw: {
    title: 'Carlini–Wagner',
    note: 'Searches the smallest change by gradient descent, at nine times the steps; one larger than ε does not count.',
    steps: steps(60),
  },
  autoattack: {
    title: 'AutoAttack',
    note: 'Auto-PGD, targeted Auto-PGD, FAB-T and Square in a row: slow where the model holds.',
    steps: { title: 'Steps of each part', usual: 20 },
  },
};

export const NORM_NOTES: { readonly [Name in NormName]: string } = {
  linf: 'No pixel changes by more, where black is 0 and white is 1.',
  l2: 'The length of the whole change, black being 0 and white 1.',
  l1: 'The changes of all pixels together, black being 0 and white 1.',
};
