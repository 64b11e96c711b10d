// Hands the settings of a sparse method to its sparsifier.
import type { MethodOptions } from '../../sparsity/methods.ts';
import { settingRows, type TrainConfig } from './settings.ts';

/** The options of a configuration's method; `begin` is a share of the training in a configuration, and a step here. */
export function methodOptions(config: TrainConfig, totalSteps: number): MethodOptions {
  const { updateBegin: begin } = config;
  const options = settingRows.flatMap(([name, { methodOption }]) =>
    methodOption === undefined || config[name] === undefined ? [] : [[methodOption, config[name]]],
  );
  return { ...Object.fromEntries(options), ...(begin !== undefined && { begin: Math.round(begin * totalSteps) }) };
}
