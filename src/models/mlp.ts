// Fully connected networks, among them LeNet-300-100.
import type { Layer } from '../ops/network.ts';
import { checkOptions, consecutive, dense, flatten, program, relu, scaled } from './layers.ts';
import type { ModelBuilder, ModelOptions } from './types.ts';

/** Fully connected layers named fc1, fc2, … with ReLU between them. */
const perceptron = (name: string, hidden: readonly number[]): ModelBuilder => {
  return (options: ModelOptions) => {
    checkOptions(options);
    const units = [...hidden.map((channels) => scaled(channels, options.width)), options.classes];
    const [height, width, channels] = options.inputShape;
    const layers = consecutive(height * width * channels, units).flatMap(([inputs, outputs], i): Layer[] =>
      i === 0 ? [dense('fc1', inputs, outputs)] : [relu, dense(`fc${i + 1}`, inputs, outputs)],
    );
    return program(name, options, [flatten, ...layers]);
  };
};

/** Two hidden layers of 512 and 256 units. */
export const mlp = perceptron('mlp', [512, 256]);

/** LeNet-300-100 (LeCun et al. 1998): 266,610 parameters on 28×28 digits. */
export const lenet300 = perceptron('lenet300', [300, 100]);
