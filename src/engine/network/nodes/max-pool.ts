import { poolFields } from '../../fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Place } from '../builder.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';
import type { Field } from '../plan.ts';

/** Bytes of one block of images that say which pixel of each window was chosen. */
const choiceBlock = ({ y: { layout } }: NodeOf<'maxPool'>): number =>
  layout.height * layout.channels * layout.width * layout.nb;

const choicesTask = (node: NodeOf<'maxPool'>, images: number): number =>
  Math.ceil(images / node.y.layout.nb) * choiceBlock(node);

/** The maxima of windows, and which pixels they were where a gradient may be asked for. */
export function forward(node: NodeOf<'maxPool'>, pass: Forward): void {
  const { x, y, size } = node;
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  let choices: Field = 0;
  if (options.keep !== 'nothing') {
    const place = builder.place('saved', builder.blocks(y.layout) * choiceBlock(node));
    pass.choices.set(node, place);
    choices = builder.at(place);
  }
  builder.emit(images, 'maxPool', {
    ...pass.source('x', x, images),
    ...pass.target('y', y, images),
    ...poolFields(x.layout, y.layout, images),
    size,
    pad: y.layout.padBytes,
    choices,
    choicesTask: choicesTask(node, images),
    relu: x.relu ? 1 : 0,
  });
  pass.done(x);
}

/** The gradient goes to the chosen pixel: to none where a ReLU before the pool had no positive one. */
export function backward(node: NodeOf<'maxPool'>, pass: Backward): void {
  const { x, y, size } = node;
  const { builder } = pass;
  const emit = (images: number, dx: Place, dy: Place): void =>
    builder.emit(images, 'maxPoolGradient', {
      ...pass.side('x', dx, x, images),
      ...pass.side('y', dy, y, images),
      ...poolFields(x.layout, y.layout, images),
      size,
      pad: x.layout.padBytes,
      choices: builder.at(pass.places.choices.get(node) as Place),
      choicesTask: choicesTask(node, images),
      relu: 0,
    });
  const norm = pass.normOf(x);
  if (!norm || norm.add || !pass.only(x)) {
    pass.through(node, emit, x.relu);
    return;
  }
  // A batch norm reads dx once for its sums and once for its own gradient: cheaper to make twice than to write and read.
  const d = pass.take(y, true);
  if (!d) return;
  const images = builder.imagesFor(x.layout, y.layout);
  const write = (): Place => {
    const place = builder.localActivations(x.layout, images);
    emit(images, place, d.place);
    return place;
  };
  const place = write();
  const again = (): Place => {
    builder.release(place);
    const second = write();
    builder.release(d.place);
    return second;
  };
  pass.add(x, { place, owned: true, masked: x.relu, images, again });
}
