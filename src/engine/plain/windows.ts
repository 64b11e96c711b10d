// The windows of convolutions and poolings along rows and columns of plain tensors.

/** How a window moves over one axis of an image. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** Places of the window before the first of the input. */
  readonly padding: number;
}

/** A tensor [image, row, column, channel] and a window on it: a convolution, a pooling. */
export interface Windows {
  readonly batch: number;
  readonly rows: Axis;
  readonly columns: Axis;
}

/** A place of the window, and which input lies there. */
interface Tap {
  readonly place: number;
  readonly source: number;
}

/** Outputs first, first + step, …, whose windows meet the input at the same places, each `sourceStep` after the last. */
export interface Segment {
  readonly first: number;
  readonly count: number;
  readonly step: number;
  readonly sourceStep: number;
  /** The taps of the first output, by ascending place. */
  readonly taps: readonly Tap[];
}

const places = (size: number): number[] => Array.from({ length: size }, (_, place) => place);

/** The outputs of an axis by what their windows meet. */
export function segments({ input, output, size, stride, dilation, padding }: Axis): Segment[] {
  const tapsOf = (index: number): Tap[] =>
    places(size)
      .map((place) => ({ place, source: index * stride + place * dilation - padding }))
      .filter(({ source }) => source >= 0 && source < input);
  return alike(output, 1, stride, tapsOf);
}

/**
 * The inputs of an axis by which outputs their gradients come from: the segments of the transposed convolution, its window
 * turned round, so that sources ascend with places.
 */
export function transposedSegments({ input, output, size, stride, dilation, padding }: Axis): Segment[] {
  const tapsOf = (index: number): Tap[] =>
    places(size)
      .map((place) => ({ place, source: (index + padding - (size - 1 - place) * dilation) / stride }))
      .filter(({ source }) => Number.isInteger(source) && source >= 0 && source < output);
  return alike(input, stride, 1, tapsOf);
}

function alike(length: number, step: number, sourceStep: number, tapsOf: (index: number) => Tap[]): Segment[] {
  const found: Segment[] = [];
  for (let residue = 0; residue < Math.min(step, length); residue++) {
    let start: { first: number; count: number; taps: Tap[] } | undefined;
    for (let index = residue; index < length; index += step) {
      const taps = tapsOf(index);
      const same = start?.taps.length === taps.length && taps.every(({ place }, i) => place === start?.taps[i].place);
      if (start && same) start.count++;
      else {
        if (start) found.push({ ...start, step, sourceStep });
        start = { first: index, count: 1, taps };
      }
    }
    if (start) found.push({ ...start, step, sourceStep });
  }
  return found;
}

/**
 * Numbers for each place of the window: the first output for which the place lies in the input, the end of these outputs, and
 * the position of the place for the first of them (assembly/plain/places.ts).
 */
export const placesOf = ({ input, output, size, stride, dilation, padding }: Axis): number[] =>
  places(size).flatMap((place) => {
    const offset = place * dilation - padding;
    const first = Math.max(0, Math.ceil(-offset / stride));
    const end = Math.min(output, Math.ceil((input - offset) / stride));
    return [first, Math.max(first, end), first * stride + offset];
  });
