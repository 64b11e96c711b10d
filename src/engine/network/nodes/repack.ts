// Plans copies between layouts within a network, forward and backward.
import { paddedBatch } from '../../layout/layout.ts';
import { blockedFields, flatFields } from '../../records/fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';

type RepackNode = NodeOf<'repack'>;

function common({ x: { layout }, planes }: RepackNode, images: number, batch: number) {
  const { height: rows, channels, width } = layout;
  const all = paddedBatch(batch);
  return { images, xImages: all, yImages: all, rows, channels, width, planes, spread: 0 } as const;
}

/** The side that is seen as the original image: of planes, the columns lie that far apart. */
const imageSide = <Side extends 'x' | 'y'>(side: Side, { form, planes, x }: RepackNode) =>
  blockedFields(side, x.layout, form === 'planes' ? planes : 1);

/** The other side: features, planes as sets of channels of their own, or other blocks. */
function otherSide<Side extends 'x' | 'y'>(side: Side, { form, x, y }: RepackNode) {
  const fields = form === 'flatten' ? flatFields(side, x.layout, y.layout) : blockedFields(side, y.layout);
  return form === 'planes' ? { ...fields, [`${side}Plane`]: x.layout.channels * y.layout.channel } : fields;
}

export function forward(node: RepackNode, pass: Forward): void {
  const { x, y, form } = node;
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout, y.layout);
  builder.emit(images, 'repack', {
    ...pass.source('x', x, images),
    ...imageSide('x', node),
    ...pass.target('y', y, images),
    ...otherSide('y', node),
    ...common(node, images, options.batch),
    columns: form === 'flatten' ? x.layout.width : y.layout.width + y.layout.pad,
    interleaved: 0,
    pad: y.layout.padBytes,
  });
  pass.done(x);
}

export function backward(node: RepackNode, pass: Backward): void {
  const { x, y } = node;
  pass.through(node, (images, dx, dy) =>
    pass.builder.emit(images, 'repack', {
      ...pass.side('x', dy, y, images),
      ...otherSide('x', node),
      ...pass.side('y', dx, x, images),
      ...imageSide('y', node),
      ...common(node, images, pass.options.batch),
      columns: x.layout.width + x.layout.pad,
      interleaved: 1,
      pad: x.layout.padBytes,
    }),
  );
}
