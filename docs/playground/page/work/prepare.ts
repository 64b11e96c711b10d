// What one side needs before it can be attacked: its model in the worker, and the picture in the shape that the model takes.

import type { ModelFacts, Side } from '../../worker/protocol.ts';
import { keyOf } from '../choices/models.ts';
import { fitted, inverted, type Picture, pictureOfFile } from '../pictures.ts';
import { type State, sourceAt } from '../state.ts';
import type { Calculator } from './calculator.ts';

/**
 * Loads the model of a side unless the worker has it, and fits the picture to it.
 *
 * @throws Error that says what is wrong with the model or the picture
 */
export async function prepare(state: State, calculator: Calculator, side: Side): Promise<void> {
  const { inputShape } = await loadModel(state, calculator, side);
  const picture = await fitPicture(state, inputShape);
  state.sides[side].picture = state.settings.invert ? inverted(picture) : picture;
}

async function loadModel(state: State, calculator: Calculator, side: Side): Promise<ModelFacts> {
  const sideState = state.sides[side];
  const source = sourceAt(state, side);
  if (source.kind === 'files' && source.files.length === 0) {
    throw new Error('Choose the files of a network above. They stay on this machine.');
  }
  const key = keyOf(source);
  if (sideState.loaded?.key === key) return sideState.loaded.facts;
  sideState.loaded = null;
  const facts = await calculator.load(side, source);
  sideState.loaded = { key, facts };
  return facts;
}

async function fitPicture({ ownPicture, samples, settings }: State, shape: ModelFacts['inputShape']): Promise<Picture> {
  if (ownPicture !== null) return pictureOfFile(ownPicture, shape);
  return fitted((samples?.pictures ?? [])[settings.picture], shape);
}
