// Completes the card of a network of the zoo from its file and from evaluations of this file: one by PGD, one by AutoAttack, each
// of as many test images as it has.
//
//   equipoise export runs/RUN --to compact --out zoo/NAME.safetensors
//   equipoise evaluate zoo/NAME.safetensors --attacks pgd-50x10 --test-limit 5000 --out pgd.json
//   equipoise evaluate zoo/NAME.safetensors --protocol autoattack --test-limit 1000 --out autoattack.json
//   node dist/scripts/zoo-card.js NAME --evaluation pgd.json --evaluation autoattack.json --command 'equipoise train …' \
//     --machine '…' --data-note '…' [--seconds S] [--preliminary '…']

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCheckpoint } from '../src/checkpoints/checkpoint.ts';
import { writeAtomically } from '../src/checkpoints/files/atomic-file.ts';
import { readEvaluations } from '../src/evaluation/results/results-file.ts';
import { zooCards, zooFile, zooFolder } from '../src/evaluation/zoo/cards.ts';
import type { TrainConfig } from '../src/training/config/config.ts';

const text = { type: 'string' } as const;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    evaluation: { type: 'string', multiple: true },
    command: text,
    machine: text,
    'data-note': text,
    seconds: text,
    preliminary: text,
  },
});

function needed(name: 'command' | 'machine' | 'data-note'): string {
  const value = options[name];
  if (value === undefined) throw new Error(`Expected --${name}; the first lines of this script say what it takes.`);
  return value;
}

const [name] = positionals;
const folder = zooFolder();
const card = (await zooCards(folder)).find((one) => one.name === name);
if (card === undefined) throw new Error(`Expected the name of a card in ${folder}, got ${name}.`);
const { stored, file } = await readCheckpoint(zooFile(folder, name));
const { seed, norm, epsilon } = stored.config as unknown as TrainConfig;

const read = await Promise.all((options.evaluation ?? []).map(readEvaluations));
const evaluations = read.flat().filter(({ target }) => target.sha256 === file.sha256);
const results = evaluations.flatMap(({ clean, attacks }) => attacks.map((result) => ({ ...result, clean })));
/** The result of the most images by one attack at the radius of training. */
const best = (prefix: string) => {
  const [found] = results
    .filter((result) => result.attack.startsWith(prefix) && result.norm === norm && result.epsilon === epsilon)
    .sort((a, b) => b.robust.n - a.robust.n);
  if (found === undefined) throw new Error(`Expected an --evaluation of this file by ${prefix} at radius ${epsilon}.`);
  return found;
};
const [pgd, autoattack] = [best('pgd'), best('autoattack')];
const attacked = ({ attack, robust }: typeof pgd) => ({ attack, robust });

await writeAtomically(
  join(folder, `${name}.json`),
  `${JSON.stringify(
    {
      network: card.network,
      dataset: card.dataset,
      command: needed('command'),
      made: {
        preliminary: options.preliminary ?? null,
        bytes: file.bytes,
        sha256: file.sha256,
        data: { sha256: stored.progress.datasetSha256, note: needed('data-note') },
        seed,
        machine: needed('machine'),
        seconds: options.seconds === undefined ? null : Number(options.seconds),
        norm,
        epsilon,
        clean: (pgd.clean.n >= autoattack.clean.n ? pgd : autoattack).clean,
        pgd: attacked(pgd),
        autoattack: attacked(autoattack),
      },
    },
    null,
    2,
  )}\n`,
);
