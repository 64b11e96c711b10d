// Pictures as pixels: read from files and strips, scaled to what a model takes, and drawn.

/** [height, width, channels] of one image */
export type Shape = readonly [number, number, number];

/** Pixels in [0, 1], row-major. */
export interface Picture {
  readonly pixels: Float32Array;
  readonly shape: Shape;
}

/** The square pictures of a strip, which lie side by side in it. */
export async function loadStrip(strip: string, shape: Shape): Promise<readonly Picture[]> {
  const image = await loadImage(strip);
  const [size] = shape;
  return Array.from({ length: image.width / size }, (_, i) => readPixels(image, { x: i * size, y: 0, size }, shape));
}

/** The middle square of a picture file in a model's shape. */
export async function pictureOfFile(file: File, shape: Shape): Promise<Picture> {
  const address = URL.createObjectURL(file);
  try {
    const image = await loadImage(address);
    const size = Math.min(image.width, image.height);
    return readPixels(image, { x: (image.width - size) / 2, y: (image.height - size) / 2, size }, shape);
  } catch (error) {
    throw new Error(`${file.name} is no picture that this browser can read.`, { cause: error });
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** A picture scaled to another shape, grey or coloured. */
export const fitted = (picture: Picture, shape: Shape): Picture =>
  String(picture.shape) === String(shape)
    ? picture
    : readPixels(drawn(picture), { x: 0, y: 0, size: picture.shape[1] }, shape);

export const inverted = ({ pixels, shape }: Picture): Picture => ({ pixels: pixels.map((pixel) => 1 - pixel), shape });

/** Draws a picture into a canvas at its own size. */
export function draw(canvas: HTMLCanvasElement, { pixels, shape: [height, width, channels] }: Picture): void {
  canvas.width = width;
  canvas.height = height;
  const data = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let channel = 0; channel < 3; channel++) {
      data.data[4 * i + channel] = Math.round(255 * pixels[i * channels + (channels === 1 ? 0 : channel)]);
    }
    data.data[4 * i + 3] = 255;
  }
  contextOf(canvas).putImageData(data, 0, 0);
}

/** The change from one picture to another: grey where there is none, magnified until its largest is black or white. */
export function perturbationOf(
  image: Picture,
  adversarial: Float32Array,
): Picture & { readonly magnification: number } {
  const largest = adversarial.reduce((most, pixel, i) => Math.max(most, Math.abs(pixel - image.pixels[i])), 0);
  const magnification = largest > 0 ? 0.5 / largest : 1;
  const pixels = adversarial.map((pixel, i) => 0.5 + magnification * (pixel - image.pixels[i]));
  return { pixels, shape: image.shape, magnification };
}

function loadImage(address: string): Promise<HTMLImageElement> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = address;
  });
}

interface Square {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

function readPixels(source: CanvasImageSource, { x, y, size }: Square, shape: Shape): Picture {
  const [height, width, channels] = shape;
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = contextOf(canvas);
  context.imageSmoothingQuality = 'high';
  // What is transparent in a picture shows as white, as on most pages.
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.drawImage(source, x, y, size, size, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = Float32Array.from({ length: height * width * channels }, (_, i) => {
    const place = 4 * Math.floor(i / channels);
    if (channels === 3) return data[place + (i % 3)] / 255;
    // The luma of Rec. 601, in whole levels as in a grey picture.
    return Math.round(0.299 * data[place] + 0.587 * data[place + 1] + 0.114 * data[place + 2]) / 255;
  });
  return { pixels, shape };
}

function drawn(picture: Picture): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  draw(canvas, picture);
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser draws no pictures.');
  return context;
}
