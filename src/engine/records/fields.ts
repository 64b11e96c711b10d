// Argument fields that several kernels share, computed from the layouts of tensors.
import type { Layout } from '../layout/layout.ts';

/** The fields of a kernel that goes over the rows of one layout. */
export const rowFields = ({ row, channel, height, channels, tiles, nb }: Layout, images: number) => ({
  row,
  channel,
  rows: height,
  channels,
  tiles,
  blocks: Math.ceil(images / nb),
});

/** Bytes of a channel's sums (assembly/blocked/channel-sums.ts). */
export const SUM_BYTES = 48;

/** A kernel's channel sums that nobody asks for. */
export const NO_SUMS = { sums: 0, z: 0, zTask: 0, mean: 0, nb: 0, images: 0 } as const;

/** A plain [image, row, column, channel] tensor as the source of a repack. */
export const plainFields = ({ height, width, channels }: Layout) => ({
  xNb: 1,
  xBlock: 4 * height * width * channels,
  xRow: 4 * width * channels,
  xChannel: 4,
  xPixel: 4 * channels,
  xPlane: 0,
});

/** The fields of a side as the target of a copy. */
export const asTarget = ({ xNb, xBlock, xRow, xChannel, xPixel, xPlane }: ReturnType<typeof plainFields>) => ({
  yNb: xNb,
  yBlock: xBlock,
  yRow: xRow,
  yChannel: xChannel,
  yPixel: xPixel,
  yPlane: xPlane,
});

type Side = 'x' | 'y';
export type Strides = Readonly<Record<'Nb' | 'Block' | 'Row' | 'Channel' | 'Pixel' | 'Plane', number>>;
type SideFields<S extends Side> = { readonly [F in keyof Strides as `${S}${F}`]: number };

/** The strides of one side of a repack by the names of its fields. */
export const sideFields = <S extends Side>(side: S, strides: Strides): SideFields<S> =>
  Object.fromEntries(Object.entries(strides).map(([name, number]) => [side + name, number])) as SideFields<S>;

/** Blocks as a side of a repack; with `planes` > 1, the columns of each plane lie that far apart. */
export const blockedFields = <S extends Side>(side: S, of: Layout, planes = 1): SideFields<S> =>
  sideFields(side, {
    Nb: of.nb,
    Block: of.block,
    Row: of.row,
    Channel: of.channel,
    Pixel: planes * of.pixel,
    Plane: planes > 1 ? of.pixel : 0,
  });

/** Features as a side of a repack over the rows, channels and columns that they were made of. */
export const flatFields = <S extends Side>(side: S, from: Layout, to: Layout): SideFields<S> =>
  sideFields(side, {
    Nb: to.nb,
    Block: to.block,
    Row: from.width * from.channels * to.channel,
    Channel: to.channel,
    Pixel: from.channels * to.channel,
    Plane: 0,
  });

/** The fields that pooling kernels share. */
export const poolFields = (x: Layout, y: Layout, images: number) => ({
  xBlock: x.block,
  xRow: x.row,
  xChannel: x.channel,
  xNb: x.nb,
  yBlock: y.block,
  yRow: y.row,
  yChannel: y.channel,
  yNb: y.nb,
  images,
  channels: x.channels,
  height: x.height,
  width: x.width,
});
