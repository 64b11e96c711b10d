// Names that are misspelt on purpose. Each must be an error for whoever compiles against the library: the compiler also
// reports a line below @ts-expect-error that has none. Nothing here runs.
import { attacks, cw, fgsm, losses, norms, pgd, robustAccuracy, square } from '../../attacks/index.ts';
import { registerEngine } from '../../src/engine/index.ts';
import {
  buildModel,
  type Classifier,
  distributions,
  evaluate,
  exportModel,
  fetchDataset,
  jobsOf,
  loadDataset,
  methods,
  models,
  objectives,
  parseConfig,
  protocol,
  recipes,
  schedules,
  startBackend,
  train,
} from '../../src/index.ts';

declare const model: Classifier;
declare const images: Parameters<typeof robustAccuracy>[1];
declare const labels: Parameters<typeof robustAccuracy>[2];

const shape = { inputShape: [28, 28, 1], classes: 10, width: 1 } as const;

/** What is spelt right compiles. */
export const spelt = () => [
  pgd({ norm: 'l2', epsilon: 0.5, stepSize: 0.1, steps: 20, restarts: 2, loss: 'cw' }),
  parseConfig({ dataset: 'cifar10', model: 'wrn-22-2', method: 'rigl', sparsity: 0.9, optimizer: 'agent' }),
  buildModel('resnet18', shape),
  buildModel('resnet18' as string, shape),
];

export const attackOptions = () => [
  // @ts-expect-error epsilon
  pgd({ epsilom: 8 / 255 }),
  // @ts-expect-error stepSize
  pgd({ epsilon: 8 / 255, stepsize: 2 / 255 }),
  // @ts-expect-error steps
  pgd({ epsilon: 8 / 255, step: 20 }),
  // @ts-expect-error restarts
  pgd({ epsilon: 8 / 255, restart: 5 }),
  // @ts-expect-error fgsm takes one step
  fgsm({ epsilon: 8 / 255, steps: 5 }),
  // @ts-expect-error queries
  square({ epsilon: 8 / 255, querries: 5000 }),
  // @ts-expect-error confidence
  cw({ confidense: 1 }),
  // @ts-expect-error the name of an attack
  attacks.pdg,
];

export const normsAndLosses = () => [
  // @ts-expect-error linf
  pgd({ epsilon: 8 / 255, norm: 'Linf' }),
  // @ts-expect-error l2
  pgd({ epsilon: 0.5, norm: 'l-2' }),
  // @ts-expect-error the name of a norm
  norms.l3,
  // @ts-expect-error ce
  pgd({ epsilon: 8 / 255, loss: 'cross-entropy' }),
  // @ts-expect-error cw
  pgd({ epsilon: 8 / 255, loss: 'cw-margin' }),
  // @ts-expect-error the name of a loss
  losses.drl,
  // @ts-expect-error batchSize
  robustAccuracy(model, images, labels, [fgsm({ epsilon: 0.1 })], { batchsize: 10 }),
];

export const settings = () => [
  // @ts-expect-error dataset
  parseConfig({ data: 'cifar10' }),
  // @ts-expect-error cifar10
  parseConfig({ dataset: 'cifar-10' }),
  // @ts-expect-error sparsity
  parseConfig({ sparcity: 0.9 }),
  // @ts-expect-error batchSize
  parseConfig({ 'batch-size': 128 }),
  // @ts-expect-error rigl
  parseConfig({ method: 'RigL' }),
  // @ts-expect-error agent
  parseConfig({ optimizer: 'agnet' }),
  // @ts-expect-error trades
  parseConfig({ objective: 'trade' }),
  // @ts-expect-error cosine
  parseConfig({ schedule: 'cosin' }),
  // @ts-expect-error linf
  parseConfig({ norm: 'l∞' }),
  // @ts-expect-error erk
  parseConfig({ distribution: 'ERK' }),
  // @ts-expect-error a number
  parseConfig({ epsilon: '8/255' }),
  // @ts-expect-error agentGamma
  parseConfig({ agentgamma: 0.1 }),
  // @ts-expect-error the name of a network
  parseConfig({ model: 'resnet19' }),
  // @ts-expect-error a setting that is an axis
  jobsOf({ axes: { sparsities: [0, 0.9] } }),
  // @ts-expect-error a value of an axis
  jobsOf({ axes: { optimizer: ['sgd', 'adam'] } }),
];

export const names = () => [
  // @ts-expect-error the name of a network
  buildModel('resnet19', shape),
  // @ts-expect-error the form of a wide ResNet's name
  buildModel('wrn28-10', shape),
  // @ts-expect-error the name of a network
  models.vgg61,
  // @ts-expect-error inputShape
  buildModel('mlp', { ...shape, inputshape: [28, 28, 1] }),
  // @ts-expect-error the name of an objective
  objectives.trade,
  // @ts-expect-error the name of a method
  methods.rigle,
  // @ts-expect-error the name of a distribution
  distributions.ERK,
  // @ts-expect-error the name of a schedule
  schedules.cosin,
  // @ts-expect-error the name of a recipe
  recipes.bsrnet,
];

export const calls = () => [
  // @ts-expect-error tensorflow
  startBackend('tensorflow-node'),
  // @ts-expect-error threads
  startBackend('engine', { thread: 2 }),
  // @ts-expect-error threads
  registerEngine({ treads: 2 }),
  // @ts-expect-error epsilons
  evaluate('runs/NAME', { epsilon: [0.1] }),
  // @ts-expect-error attacks are data; protocol and parseAttacks make them of names
  evaluate('runs/NAME', { attacks: 'fgsm' }),
  // @ts-expect-error pytorch
  exportModel('best.safetensors', { to: 'torch', out: 'net.safetensors' }),
  // @ts-expect-error out
  train(parseConfig({}), { output: 'runs/NAME' }),
  // @ts-expect-error autoattack
  protocol('autoatack'),
  // @ts-expect-error cifar10
  loadDataset('cifar-10'),
  // @ts-expect-error fashion-mnist
  fetchDataset('fashionmnist'),
  // @ts-expect-error baseUrl
  fetchDataset('cifar10', { mirror: 'https://example.org' }),
];
