import { type MethodName, type MethodOptions, methods } from '../sparsity/methods.ts';
import type { Setting, TrainConfig, TrainOptions } from './settings.ts';

/** The setting behind an option of a method. */
interface MethodSetting {
  readonly setting: Setting;
  /** The words for the methods that have it: it applies `to` … */
  readonly to: string;
}

const DROPPING = 'methods that drop and grow weights';
const UPDATING = 'methods that change their masks from time to time';

/**
 * Every option of the table `methods` that a user may set. A method has those that its `defaults` name: the settings of others
 * are refused, and its own reach its sparsifier.
 */
export const METHOD_SETTINGS = {
  dropFraction: { setting: 'dropFraction', to: DROPPING },
  dropFractionSchedule: { setting: 'dropSchedule', to: DROPPING },
  begin: { setting: 'updateBegin', to: UPDATING },
  interval: { setting: 'updateInterval', to: UPDATING },
  end: { setting: 'updateEnd', to: UPDATING },
  noise: { setting: 'noise', to: 'the method bsr-net' },
} as const satisfies { readonly [Option in keyof MethodOptions]?: MethodSetting };

type Option = keyof typeof METHOD_SETTINGS;
type SettingOf = (typeof METHOD_SETTINGS)[Option]['setting'];

const rows = Object.entries(METHOD_SETTINGS) as readonly [Option, (typeof METHOD_SETTINGS)[Option]][];

/** Whether a method has an option. */
export const hasOption = (method: MethodName, option: Option): boolean =>
  methods[method].defaults?.[option] !== undefined;

/** The settings of a method as its row has them. */
export const methodDefaults = (method: MethodName): Required<Pick<TrainOptions, SettingOf>> =>
  Object.fromEntries(rows.map(([option, { setting }]) => [setting, methods[method].defaults?.[option]])) as Required<
    Pick<TrainOptions, SettingOf>
  >;

/** What a configuration says of its method's mask updates; `begin`, a share of the training there, in steps. */
export function methodOptions(config: TrainConfig, totalSteps: number): MethodOptions {
  const { updateBegin: begin } = config;
  const set = rows.flatMap(([option, { setting }]) =>
    config[setting] === undefined ? [] : [[option, config[setting]]],
  );
  return { ...Object.fromEntries(set), ...(begin !== undefined && { begin: Math.round(begin * totalSteps) }) };
}
