// Plans global average poolings of a network, forward and backward.
import { poolFields } from '../../records/fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';

const fieldsOf = ({ x, y }: NodeOf<'averagePool'>, images: number) => {
  const { yRow: _, ...fields } = poolFields(x.layout, y.layout, images);
  return fields;
};

/** The mean over all pixels. */
export function forward(node: NodeOf<'averagePool'>, pass: Forward): void {
  const { x, y } = node;
  const { builder } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  builder.emit(images, 'averagePool', {
    ...pass.source('x', x, images),
    ...pass.target('y', y, images),
    ...fieldsOf(node, images),
    pad: 0,
  });
  pass.done(x);
}

export function backward(node: NodeOf<'averagePool'>, pass: Backward): void {
  const { x, y } = node;
  pass.through(node, (images, dx, dy) =>
    pass.builder.emit(images, 'averagePoolGradient', {
      ...pass.side('x', dx, x, images),
      ...pass.side('y', dy, y, images),
      ...fieldsOf(node, images),
      pad: x.layout.padBytes,
    }),
  );
}
