import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { registerEngine } from '../../src/engine/index.ts';
import type { Program } from '../../src/ops/network.ts';
import { difference, everything, on } from './networks.ts';

interface Case {
  readonly image: readonly [number, number, number];
  readonly filters: number;
  readonly size: number;
  readonly stride?: number;
  readonly padding?: number;
}

/** Odd sizes, strides and channels that fill no group of a register tile; rows of one and of several tiles. */
const cases: readonly Case[] = [
  { image: [8, 8, 3], filters: 13, size: 3 },
  { image: [5, 16, 7], filters: 6, size: 3 },
  { image: [6, 6, 4], filters: 5, size: 3, padding: 0 },
  { image: [7, 9, 2], filters: 8, size: 5 },
  { image: [9, 7, 5], filters: 7, size: 3, stride: 2 },
  { image: [8, 8, 2], filters: 2, size: 5, stride: 2 },
  { image: [8, 6, 9], filters: 12, size: 1, stride: 2 },
  { image: [4, 4, 11], filters: 14, size: 1 },
  { image: [2, 2, 8], filters: 15, size: 3 },
  { image: [1, 1, 5], filters: 4, size: 3 },
  // By Winograd's algorithm: 1, 2 and more vectors of images a pixel, several tiles a row, channels that fill no group.
  { image: [2, 8, 33], filters: 32, size: 3 },
  { image: [4, 4, 32], filters: 35, size: 3 },
  { image: [2, 6, 34], filters: 33, size: 3 },
  { image: [2, 2, 40], filters: 36, size: 3 },
];

const programOf = ({ image, filters, size, stride = 1, padding = (size - 1) / 2 }: Case): Program => ({
  inputShape: image,
  classes: 3,
  layers: [
    { kind: 'conv', name: 'first', inputs: image[2], filters, size, stride, padding, bias: true },
    { kind: 'relu' },
    {
      kind: 'residual',
      body: [
        { kind: 'conv', name: 'a', inputs: filters, filters: 3, size: 1, stride: 1, padding: 0, bias: false },
        { kind: 'batchNorm', name: 'norm', channels: 3 },
        { kind: 'relu' },
        { kind: 'conv', name: 'b', inputs: 3, filters, size: 3, stride: 1, padding: 1, bias: true },
      ],
      shortcut: [],
    },
    { kind: 'relu' },
    { kind: 'globalAveragePool' },
    { kind: 'dense', name: 'head', inputs: filters, units: 3, bias: true },
  ],
});

describe('engine convolutions of blocks with full kernels', () => {
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  for (const one of cases) {
    const { image, filters, size, stride = 1, padding } = one;
    const title = `${image.join('×')} → ${filters}, ${size}×${size}, stride ${stride}${padding === 0 ? ', no padding' : ''}`;
    const program = programOf(one);

    it(`give the reference's values and gradients: ${title}`, async () => {
      for (const training of [false, true]) {
        const run = () => everything(program, { batch: 7, training, density: 1 });
        const expected = await on('cpu', 1, run);
        const actual = await on('equipoise', 2, run);
        for (const [what, values] of Object.entries(expected)) {
          expect(difference(actual[what], values), what).to.be.below(2e-5);
        }
      }
    });

    it(`give the same bits on 1, 2 and 3 threads: ${title}`, async () => {
      for (const training of [false, true]) {
        const run = () => everything(program, { batch: 35, training, density: 1 });
        const alone = await on('equipoise', 1, run);
        for (const threads of [2, 3]) expect(await on('equipoise', threads, run)).to.deep.equal(alone);
      }
    });
  }
});
