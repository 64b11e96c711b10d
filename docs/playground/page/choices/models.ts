// The models that the page offers, and what it calls them.

import type { ModelSource, ShippedName } from '../../worker/protocol.ts';
import type { ModelChoice } from '../settings.ts';
import type { SamplesName } from './samples.ts';

/** What the page says of a model. */
export interface ModelTexts {
  /** As an option, and in the legend. */
  readonly title: string;
  /** As the subject of a sentence. */
  readonly subject: string;
  readonly note: string;
}

interface ShippedModel extends ModelTexts {
  readonly name: ShippedName;
}

const USUAL = { title: 'Undefended', subject: 'the undefended network' };
const ROBUST = { title: 'Robust', subject: 'the robust network' };

export const SHIPPED: {
  readonly [Name in SamplesName]: { readonly usual: ShippedModel; readonly robust: ShippedModel };
} = {
  digits: {
    usual: { ...USUAL, name: 'undefended', note: 'A small network, trained as usual.' },
    robust: { ...ROBUST, name: 'robust', note: 'Trained against attacks within 0.1, 90 % sparse.' },
  },
  photos: {
    usual: { ...USUAL, name: 'undefended-photos', note: 'A small network, trained as usual.' },
    robust: { ...ROBUST, name: 'vgg16-99', note: 'VGG16 of the zoo: within 8/255, 99 % sparse.' },
  },
};

const OWN: ModelTexts = {
  title: 'Your own …',
  subject: 'your own network',
  note: '',
};

export const textsOf = (pictures: SamplesName, choice: ModelChoice): ModelTexts =>
  choice === 'own' ? OWN : SHIPPED[pictures][choice];

/** A person's model: the files that were chosen last, and the lowest and highest pixel that it takes. */
export interface OwnModel {
  readonly files: readonly File[];
  readonly bounds: readonly [number, number];
}

export const sourceOf = (pictures: SamplesName, choice: ModelChoice, own: OwnModel): ModelSource =>
  choice === 'own' ? { kind: 'files', ...own } : { kind: 'shipped', name: SHIPPED[pictures][choice].name };

/** Equal for the same model. */
export const keyOf = (source: ModelSource): string =>
  JSON.stringify(
    source.kind === 'shipped'
      ? source.name
      : [source.bounds, source.files.map(({ name, size, lastModified }) => [name, size, lastModified])],
  );
