// Resampling as `Image.resize(size, resample, box)` of Pillow 12 does it, to the bit: first along rows, then along columns, with
// weights of 22 bits behind the point and bytes in between. Where the picture shrinks, the filter widens, so that every
// pixel counts.
import type { Picture } from './picture.ts';

/** A filter's weight at a distance, and the distance from which on it is 0. */
interface Filter {
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const CUBIC = -0.5;

const FILTERS = {
  bilinear: { support: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: {
    support: 2,
    weight: (distance) => {
      const x = Math.abs(distance);
      if (x < 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBIC : 0;
    },
  },
} as const satisfies Readonly<Record<string, Filter>>;

/** How pixels are weighed when a picture is resized. */
export type Resampling = keyof typeof FILTERS;
/** The names of the filters by which pictures are resized. */
export const RESAMPLINGS = Object.keys(FILTERS) as readonly Resampling[];

/** The part of a picture that is resized, in pixels from its upper left corner: float32. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

export type Size = readonly [width: number, height: number];

/** The middle of a picture, of the form of `size` and as large as it can be: that of Pillow's `ImageOps.fit`. */
export function centre({ width, height }: Pick<Picture, 'width' | 'height'>, size: Size): Box {
  const [live, wanted] = [width / height, size[0] / size[1]];
  const cropWidth = live > wanted ? wanted * height : width;
  const cropHeight = live < wanted ? width / wanted : height;
  const [left, top] = [(width - cropWidth) * 0.5, (height - cropHeight) * 0.5];
  return [left, top, left + cropWidth, top + cropHeight];
}

/** A part of a picture in another size. */
export function resize(picture: Picture, size: Size, box: Box, resampling: Resampling): Picture {
  const filter = FILTERS[resampling];
  const [left, top, right, bottom] = box.map(Math.fround);
  const narrow = along(picture, { axis: 'width', from: left, to: right, length: size[0], filter });
  return along(narrow, { axis: 'height', from: top, to: bottom, length: size[1], filter });
}

interface Axis {
  readonly axis: 'width' | 'height';
  readonly from: number;
  readonly to: number;
  readonly length: number;
  readonly filter: Filter;
}

/** Bits of a weight behind the point. */
const ONE = 2 ** 22;

/** A picture that is resized along one axis. */
function along(picture: Picture, { axis, from, to, length, filter }: Axis): Picture {
  const { channels, pixels } = picture;
  if (from === 0 && to === picture[axis] && length === picture[axis]) return picture;
  const resized = { ...picture, [axis]: length };
  const { width, height } = resized;
  const made = new Uint8Array(width * height * channels);
  const step = axis === 'width' ? channels : picture.width * channels;
  for (const [place, { first, weights }] of weightsOf(picture[axis], { from, to, length, filter }).entries()) {
    const lines = axis === 'width' ? height : width;
    for (let line = 0; line < lines; line++) {
      const [y, x] = axis === 'width' ? [line, place] : [place, line];
      const start = axis === 'width' ? (y * picture.width + first) * channels : (first * picture.width + x) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = ONE / 2;
        for (let i = 0; i < weights.length; i++) sum += pixels[start + i * step + channel] * weights[i];
        made[(y * width + x) * channels + channel] = Math.min(255, Math.max(0, Math.floor(sum / ONE)));
      }
    }
  }
  return { ...resized, pixels: made };
}

/** The first old pixel that counts for each new pixel, and the weights from there on, in units of 1 / ONE. */
function weightsOf(size: number, { from, to, length, filter }: Omit<Axis, 'axis'>) {
  const scale = Math.fround(to - from) / length;
  const widened = Math.max(1, scale);
  const support = filter.support * widened;
  return Array.from({ length }, (_, place) => {
    const center = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(size, Math.trunc(center + support + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) =>
      filter.weight((i + first - center + 0.5) * (1 / widened)),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    const whole = (weight: number): number => Math.trunc(weight < 0 ? weight * ONE - 0.5 : weight * ONE + 0.5);
    return { first, weights: Int32Array.from(raw, (weight) => whole(sum === 0 ? weight : weight / sum)) };
  });
}
