// What each control of the form “Attack and computation” changes in the settings.

import { SAMPLES } from '../choices/samples.ts';
import { type Settings, usualSettings } from '../settings.ts';
import type { State } from '../state.ts';

type Control = HTMLInputElement | HTMLSelectElement;

/** The changes that a control asks for, by its id. */
const PATCHES: Readonly<Record<string, (control: Control, state: State) => Partial<Settings>>> = {
  attack: ({ value }, { settings, norms }) => {
    const attack = value as Settings['attack'];
    const norm = norms[attack].includes(settings.norm) ? settings.norm : norms[attack][0];
    const { steps, epsilon: usual } = usualSettings(settings.pictures, attack, norm);
    return { attack, norm, steps, epsilon: norm === settings.norm ? settings.epsilon : usual };
  },
  norm: ({ value }, { settings }) => {
    const norm = value as Settings['norm'];
    return { norm, epsilon: SAMPLES[settings.pictures].radii[norm].usual };
  },
  steps: ({ value }) => ({ steps: Number(value) }),
  seed: ({ value }) => ({ seed: Number(value) }),
  goal: ({ value }) => ({ goal: value === '' ? null : Number(value) }),
  label: ({ value }) => ({ label: value === '' ? null : Number(value) }),
  backend: ({ value }) => ({ backend: value as Settings['backend'] }),
  bytes: (control) => ({ bytes: (control as HTMLInputElement).checked }),
  invert: (control) => ({ invert: (control as HTMLInputElement).checked }),
};

/** The changes of the settings that a control of the form asks for. */
export const patchOf = (control: Control, state: State): Partial<Settings> => PATCHES[control.id](control, state);
