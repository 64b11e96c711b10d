// Draws docs/pictures/zoo.svg: accuracies of the zoo's networks without attack, under PGD and under AutoAttack, from their cards.
//
//   node dist/scripts/pictures/zoo.js

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Accuracy } from '../../src/evaluation/intervals.ts';
import { zooCards } from '../../src/evaluation/zoo/cards.ts';
import { intervalChart, type Mark } from './interval-chart.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const COLOURS = { clean: '#9bbbdd', pgd: '#4d86c0', autoattack: '#1f3f6b' };

const percents = ({ value, low, high }: Accuracy, colour: string): Mark => ({
  mean: 100 * value,
  low: 100 * low,
  high: 100 * high,
  colour,
});

const rows = (await zooCards(join(root, 'zoo'))).flatMap(({ network, made }) =>
  made === null || made.preliminary !== null
    ? []
    : [
        {
          label: network,
          marks: [
            percents(made.clean, COLOURS.clean),
            percents(made.pgd.robust, COLOURS.pgd),
            percents(made.autoattack.robust, COLOURS.autoattack),
          ],
        },
      ],
);
if (rows.length === 0) throw new Error('Expected networks in the zoo that are not preliminary, got none.');

writeFileSync(
  join(root, 'docs/pictures/zoo.svg'),
  intervalChart({
    title: 'Accuracy of networks of the zoo without attack, under PGD-50 with 10 restarts, and under AutoAttack',
    heading: 'CIFAR-10 (stored as JPEG), linf 8/255: test accuracy in %, with its 95 % interval',
    axis: [0, 80],
    ticks: [0, 10, 20, 30, 40, 50, 60, 70, 80],
    format: String,
    rows,
    note: ['dark: under AutoAttack   mid: under PGD-50×10   light: without attack', 40],
  }),
);
