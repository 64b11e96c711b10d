// How the outputs of a convolution of plain tensors [image][row][column][channel] are shared among tasks.
//
// Outputs whose windows meet the image at the same places, and whose inputs lie a fixed step apart, form a region; all
// padding, strides and dilation is in how regions are cut (src/engine/plain/regions.ts), so that no window is copied and no zero
// multiplied.
//
//   regions  [fields of Region] …
//   runs     of each region: contiguous parts of its windows, for its first output
//            [byte offset in x | first k | length] …
//   pieces   [fields of Piece] …      some rows of a region in some images

@unmanaged
export class Region {
  /** of the first output, and steps, in bytes */
  y: i32;
  yRow: i32;
  yColumn: i32;
  xRow: i32;
  xColumn: i32;
  columns: i32;
  runs: usize;
  runsEnd: usize;
}

@unmanaged
export class Piece {
  region: i32;
  firstRow: i32;
  rows: i32;
  firstImage: i32;
  images: i32;
}
