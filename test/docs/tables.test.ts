// Every name that a table of the sources offers to users stands in the table of its page.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { COMMANDS } from '../../src/cli/commands.ts';
import { datasetNames } from '../../src/data/sets/datasets.ts';
import { models } from '../../src/models/models.ts';
import { objectives } from '../../src/objectives/objectives.ts';
import { BACKENDS } from '../../src/ops/backend-names.ts';
import { distributions } from '../../src/sparsity/distributions.ts';
import { methods } from '../../src/sparsity/methods.ts';
import { trainingAttacks } from '../../src/training/adversary/training-attacks.ts';

/** The names in the first cells of all tables of a page; of a command with arguments, its first word. */
function namesIn(page: string): readonly string[] {
  const text = readFileSync(fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url)), 'utf8');
  const cells = [...text.matchAll(/^\|(.*?)\|/gm)].map(([, cell]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([\w-]+)/g)].map(([, name]) => name));
}

const TABLES: Readonly<Record<string, readonly [page: string, names: readonly string[]]>> = {
  command: ['command-line.md', COMMANDS.map(({ name }) => name)],
  backend: ['backends.md', BACKENDS],
  'data set': ['data.md', datasetNames],
  // Every wide ResNet is the one row `wrn-DEPTH-WIDEN`.
  model: ['models.md', Object.keys(models).map((name) => name.replace(/^wrn-\d+-\d+$/, 'wrn-DEPTH-WIDEN'))],
  objective: ['objectives.md', Object.keys(objectives)],
  method: ['sparsity.md', Object.keys(methods)],
  distribution: ['sparsity.md', Object.keys(distributions)],
  'training attack': ['training.md', Object.keys(trainingAttacks)],
};

describe('the tables of the docs', () => {
  for (const [kind, [page, names]] of Object.entries(TABLES)) {
    it(`have every ${kind}, on the page ${page}`, () => {
      expect(namesIn(page)).to.include.members([...names]);
    });
  }
});
