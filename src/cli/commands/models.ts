// The command `models`: the networks of the zoo, with what was measured of them, or the command that trains those which do not
// come with Equipoise.

import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { type ZooCard, zooCards } from '../../evaluation/zoo/cards.ts';
import { formatAccuracy, formatTable } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { fits } from '../terminal/fits.ts';
import { byteSize, duration } from '../terminal/format.ts';

export const modelsCommand = defineCommand({
  positionals: [{ name: 'name', description: 'a network of the zoo, to print its whole card', required: false }],
  flags: {},
  endsAtOnce: true,
  examples: [
    ['equipoise models', 'the networks, their accuracies, and how to train those that do not come along'],
    ['equipoise models vgg16-99', 'everything about one of them'],
    ['equipoise evaluate zoo:vgg16-99 --attacks pgd-20', 'a network of the zoo in place of a run'],
  ],
  async run({ positionals: [name], json }, terminal) {
    const cards = await zooCards();
    const chosen = name === undefined ? cards : cards.filter((card) => card.name === name.replace(/^zoo:/, ''));
    if (name !== undefined && chosen.length === 0) {
      const names = cards.map((card) => card.name);
      throw new UsageError(`Expected one of ${names.join(', ')}, got ${name}.${suggestion(didYouMean(name, names))}`);
    }
    if (json) terminal.print(JSON.stringify(name === undefined ? chosen : chosen[0], null, 2));
    else terminal.print(name === undefined ? list(cards, terminal.columns) : describe(chosen[0]));
  },
});

type Made = NonNullable<ZooCard['made']>;

function list(cards: readonly ZooCard[], columns: number): string {
  const made = cards.flatMap(({ made: known, ...card }) => (known === null ? [] : [{ ...card, ...known }]));
  const rows = made.map(({ name, network, bytes, clean, pgd, autoattack, preliminary }) => ({
    name: `zoo:${name}`,
    title: `zoo:${name}${preliminary === null ? '' : ' (preliminary)'}`,
    about: [network, byteSize(bytes)],
    figures: [clean, pgd.robust, autoattack.robust].map(formatAccuracy),
  }));
  const figures = ['clean', 'PGD', 'AutoAttack'];
  const whole = formatTable(
    ['name', 'network', 'size', ...figures],
    rows.map((row) => [row.title, ...row.about, ...row.figures]),
    2,
  );
  const narrow = [
    formatTable(
      ['name', ...figures],
      rows.map((row) => [row.name, ...row.figures]),
    ),
    '',
    ...rows.map(({ title, about }) => `${title}: ${about.join(', ')}`),
  ].join('\n');
  return [
    ...(made.length === 0 ? [] : [fits(whole, columns) ? whole : narrow]),
    ...made.flatMap(({ name, preliminary }) =>
      preliminary === null ? [] : [`zoo:${name} is preliminary: ${preliminary}`],
    ),
    ...cards.flatMap(({ name, network, command, made: known }) =>
      known === null ? [`${name}, ${network}, does not come with Equipoise. Train it with:\n  ${command}`] : [],
    ),
  ].join('\n\n');
}

function describe({ name, network, dataset, command, made }: ZooCard): string {
  const fields: readonly (readonly [string, string])[] = [
    ['network', network],
    ['trained by', command],
    ...(made === null ? [['file', 'does not come with Equipoise'] as const] : fieldsOf(made, dataset)),
  ];
  const width = Math.max(...fields.map(([title]) => title.length));
  return [`zoo:${name}`, ...fields.map(([title, value]) => `${title.padEnd(width)}  ${value}`)].join('\n');
}

function fieldsOf(made: Made, dataset: string): (readonly [string, string])[] {
  const { preliminary, data, seed, machine, seconds, norm, epsilon, clean, pgd, autoattack, bytes, sha256 } = made;
  const images = ({ n }: Made['clean']) => `on ${n} test images`;
  const threat = `${norm} ${formatEpsilon(epsilon)}`;
  const attacked = ({ attack, robust }: Made['pgd']): readonly [string, string] => [
    attack,
    `${formatAccuracy(robust)} within ${threat}, ${images(robust)}`,
  ];
  return [
    ...(preliminary === null ? [] : [['preliminary', preliminary] as const]),
    ['data', `${dataset}, ${data.note}; sha256 ${data.sha256}`],
    ['seed', String(seed)],
    ['machine', machine],
    ...(seconds === null ? [] : [['training', duration(seconds)] as const]),
    ['clean', `${formatAccuracy(clean)}, ${images(clean)}`],
    attacked(pgd),
    attacked(autoattack),
    ['file', `${byteSize(bytes)}, sha256 ${sha256}`],
  ];
}
