// Plans max poolings of a network, forward and backward.
import { poolFields } from '../../records/fields.ts';
import type { Backward, Pooled } from '../backward-pass.ts';
import type { Place } from '../builder.ts';
import type { Coefficients, Forward, Sums } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';
import type { Field } from '../plan.ts';

/** Bytes of one block of images that say which pixel of each window was chosen. */
const choiceBlock = ({ y: { layout } }: NodeOf<'maxPool'>): number =>
  layout.height * layout.channels * layout.width * layout.nb;

const choicesTask = (node: NodeOf<'maxPool'>, images: number): number =>
  Math.ceil(images / node.y.layout.nb) * choiceBlock(node);

/** The maxima of windows, and which pixels they were where a gradient may be asked for; a batch norm before may be part of it. */
export function forward(node: NodeOf<'maxPool'>, pass: Forward): void {
  const { x, y, size } = node;
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  const norm = pass.pooledNorm(x);
  const source = norm?.x ?? x;
  const { scale, shift } = norm ? (pass.coefficients.get(norm) as Coefficients) : { scale: 0, shift: 0 };
  let choices: Field = 0;
  if (options.keep !== 'nothing') {
    const place = builder.place('saved', builder.blocks(y.layout) * choiceBlock(node));
    pass.choices.set(node, place);
    choices = builder.at(place);
  }
  builder.emit(images, 'maxPool', {
    ...pass.source('x', source, images),
    ...pass.target('y', y, images),
    ...poolFields(x.layout, y.layout, images),
    size,
    pad: y.layout.padBytes,
    choices,
    choicesTask: choicesTask(node, images),
    relu: x.relu ? 1 : 0,
    scale,
    shift,
  });
  pass.done(source);
}

/** The choices that the forward pass left. */
const choicesOf = (node: NodeOf<'maxPool'>, images: number, { builder, places }: Backward) => ({
  choices: builder.at(places.choices.get(node) as Place),
  choicesTask: choicesTask(node, images),
});

const NO_NORM = { z: 0, zTask: 0, a: 0, b: 0, c: 0 } as const;

/** The gradient goes to the chosen pixel: to none where a ReLU before the pool had no positive one. */
export function backward(node: NodeOf<'maxPool'>, pass: Backward): void {
  const { x, y, size } = node;
  const { builder, options } = pass;
  if (pass.pooledNorm(x)) {
    const d = pass.take(y, true);
    if (d) pass.pooled.set(x, { pool: node, place: d.place });
    return;
  }
  pass.through(
    node,
    (images, dx, dy) =>
      builder.emit(images, 'maxPoolGradient', {
        ...pass.side('x', dx, x, images),
        ...pass.side('y', dy, y, images),
        ...poolFields(x.layout, y.layout, images),
        size,
        pad: x.layout.padBytes,
        ...choicesOf(node, images, pass),
        ...NO_NORM,
        batch: options.batch,
      }),
    x.relu,
  );
}

/** Images a task of the pooling's gradient. */
export const pooledImages = ({ pool: { x, y } }: Pooled, { builder }: Backward): number =>
  builder.imagesFor(x.layout, y.layout);

/** The sums that the batch norm before the pooling needs of its gradient: z is what it read, of that mean. */
export function pooledSums({ pool, place }: Pooled, z: Place, mean: Field, pass: Backward): Sums {
  const { x, y, size } = pool;
  const { builder } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  const sums = pass.newSums(x, images);
  builder.emit(images, 'maxPoolGradientSums', {
    ...pass.side('x', z, x, images),
    ...pass.side('y', place, y, images),
    ...poolFields(x.layout, y.layout, images),
    size,
    ...choicesOf(pool, images, pass),
    mean,
    sums: builder.at(sums.place),
  });
  return sums;
}

/** The gradient of what the batch norm before the pooling read, a · dx + b · z + c, to `dz`. */
export function pooledGradient(
  { pool, place }: Pooled,
  z: Place,
  dz: Place,
  factors: { readonly a: Field; readonly b: Field; readonly c: Field },
  pass: Backward,
): void {
  const { x, y, size } = pool;
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  builder.emit(images, 'maxPoolGradient', {
    ...pass.side('x', dz, x, images),
    ...pass.side('z', z, x, images),
    ...pass.side('y', place, y, images),
    ...poolFields(x.layout, y.layout, images),
    size,
    pad: x.layout.padBytes,
    ...choicesOf(pool, images, pass),
    ...factors,
    batch: options.batch,
  });
}
