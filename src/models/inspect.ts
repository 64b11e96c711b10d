// What a network consists of: its kernels, parameters, statistics and their sizes.
import { InputError } from '../core/errors.ts';
import { isSparse, type Params, type Tensors, trainable } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';
import { eachShape, type Program } from '../ops/network.ts';

/** A tensor that a network's layers declare. */
export interface Declared {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A convolution or fully connected kernel: what sparsity counts. */
export interface Kernel extends Declared {
  readonly kind: 'conv' | 'dense';
  /** Number of places of one image at which the kernel is applied: output height · width of a convolution, 1 if dense. */
  readonly positions: number;
}

export interface ParameterInfo extends Declared {
  readonly role: 'kernel' | 'bias' | 'gamma' | 'beta';
}

/** Every kernel of a network in order of execution. */
export const kernelsOf = (program: Program): Kernel[] =>
  [...eachShape(program.layers, program.inputShape)].flatMap(({ layer, output }): Kernel[] => {
    switch (layer.kind) {
      case 'conv': {
        const shape = [layer.size, layer.size, layer.inputs, layer.filters];
        return [{ name: `${layer.name}.kernel`, shape, kind: 'conv', positions: output[0] * output[1] }];
      }
      case 'dense':
        return [{ name: `${layer.name}.kernel`, shape: [layer.inputs, layer.units], kind: 'dense', positions: 1 }];
      default:
        return [];
    }
  });

/** Every trainable parameter of a network in order of execution. */
export const parametersOf = (program: Program): ParameterInfo[] =>
  [...eachShape(program.layers, program.inputShape)].flatMap(({ layer }): ParameterInfo[] => {
    switch (layer.kind) {
      case 'conv':
      case 'dense': {
        const outputs = layer.kind === 'conv' ? layer.filters : layer.units;
        const shape = layer.kind === 'conv' ? [layer.size, layer.size, layer.inputs, outputs] : [layer.inputs, outputs];
        const kernel = { name: `${layer.name}.kernel`, shape, role: 'kernel' } as const;
        return layer.bias ? [kernel, { name: `${layer.name}.bias`, shape: [outputs], role: 'bias' }] : [kernel];
      }
      case 'batchNorm':
        return [
          { name: `${layer.name}.gamma`, shape: [layer.channels], role: 'gamma' },
          { name: `${layer.name}.beta`, shape: [layer.channels], role: 'beta' },
        ];
      default:
        return [];
    }
  });

/** The running statistics of a network's batch norms in order of execution. */
export const statisticsOf = (program: Program): Declared[] =>
  [...eachShape(program.layers, program.inputShape)].flatMap(({ layer }) =>
    layer.kind === 'batchNorm'
      ? ['moving_mean', 'moving_variance'].map((name) => ({ name: `${layer.name}.${name}`, shape: [layer.channels] }))
      : [],
  );

/** Numbers of parameters of a network. */
export interface ParameterCounts {
  /** Kernels, biases, gamma and beta. */
  readonly trainable: number;
  readonly kernels: number;
  /** Running means and variances, which no gradient moves. */
  readonly statistics: number;
}

const totalSize = (declared: readonly Declared[]): number =>
  declared.reduce((total, { shape }) => total + sizeOf(shape), 0);

/** How many numbers a network holds when dense. */
export const parameterCounts = (program: Program): ParameterCounts => ({
  trainable: totalSize(parametersOf(program)),
  kernels: totalSize(kernelsOf(program)),
  statistics: totalSize(statisticsOf(program)),
});

/** Multiply-adds of one image's forward pass, at the nonzeros of its kernels; batch norm and biases are not counted. */
export const flops = (program: Program, params: Params): number =>
  kernelsOf(program).reduce((total, { name, positions }) => total + trainable(params[name]).size * positions, 0);

/**
 * Checks that parameters and statistics are those that a network declares.
 *
 * @throws InputError naming the first tensor that is missing, of another shape, or unknown
 */
export function checkWeights(program: Program, params: Params, state: Tensors): void {
  const shapes = (tensors: Params): Record<string, readonly number[]> =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, param]) => [name, isSparse(param) ? param.structure.shape : param.shape]),
    );
  checkDeclared(parametersOf(program), shapes(params));
  checkDeclared(statisticsOf(program), shapes(state));
}

function checkDeclared(declared: readonly Declared[], found: Readonly<Record<string, readonly number[]>>): void {
  for (const { name, shape } of declared) {
    if (!Object.hasOwn(found, name)) {
      throw new InputError(`These weights lack ${name} [${shape}]: they belong to another model.`);
    }
    if (String(found[name]) !== String(shape)) {
      throw new InputError(
        `These weights have ${name} of shape [${found[name]}], the model needs [${shape}]: check model, width, image shape and classes.`,
      );
    }
  }
  const names = new Set(declared.map(({ name }) => name));
  const unknown = Object.keys(found).find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw new InputError(`These weights have ${unknown}, which the model does not: they belong to another model.`);
  }
}
