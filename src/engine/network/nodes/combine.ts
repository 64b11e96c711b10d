// Plans sums of branches and single ReLUs of a network, forward and backward.
import { rowFields } from '../../records/fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';

/** y = a + b or a alone, then ReLU. */
export function forward({ a, b, y }: NodeOf<'combine'>, pass: Forward): void {
  const { builder } = pass;
  const images = builder.imagesFor(y.layout);
  const sources = { ...pass.source('a', a, images), ...(b ? pass.source('b', b, images) : builder.noSide('b')) };
  const target = pass.targetOver('y', a, y, images);
  const { relu, ...signs } = pass.relu(y, images);
  builder.emit(images, 'combine', {
    ...sources,
    ...target,
    ...rowFields(y.layout, images),
    block: y.layout.block,
    pad: y.layout.padBytes,
    epilogue: relu,
    ...signs,
  });
  pass.done(a);
  if (b) pass.done(b);
}

/** Both terms get the gradient as it is, in one place. */
export function backward({ a, b, y }: NodeOf<'combine'>, pass: Backward): void {
  const d = pass.take(y, true);
  if (!d) return;
  if (b === null && pass.needs(a)) {
    pass.add(a, { ...d, masked: false });
    return;
  }
  for (const term of [a, b]) if (term) pass.share(term, d.place);
  pass.builder.release(d.place);
}
