import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { flagOf, SETTING_FLAGS } from '../../src/cli/flags/setting-flags.ts';
import { datasetNames, datasets } from '../../src/data/sets/datasets.ts';
import type { DatasetDefaults } from '../../src/data/types.ts';
import { formatEpsilon } from '../../src/evaluation/epsilon.ts';
import { methods } from '../../src/sparsity/methods.ts';
import { FIXED_DEFAULTS, parseConfig, settingRows } from '../../src/training/config/config.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/training.md', import.meta.url)), 'utf8');

/** The rows of the table between a mark and the next, each as its cells. */
function tableOf(mark: string): readonly (readonly string[])[] {
  const [, table = ''] = new RegExp(`<!-- defaults ${mark} -->\\n(.*?)<!-- end -->`, 's').exec(page) ?? [];
  const cells = (row: string) => row.split('|').slice(1, -1);
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => cells(row).map((cell) => cell.trim().replaceAll('`', '')));
}

const radius = (value: number | null) => (value === null ? '–' : formatEpsilon(value));

describe('the defaults that the page on training names', () => {
  it('are those of each data set', () => {
    expect(tableOf('by data set')).to.deep.equal(
      datasetNames.map((name) => {
        const { epsilon, stepSize, ...defaults }: DatasetDefaults = datasets[name].defaults;
        const { steps, model, epochs, batchSize, lr, augment } = defaults;
        const attack = [epsilon.linf, epsilon.l2, epsilon.l1].map(radius);
        return [name, ...attack, steps, radius(stepSize), model, epochs, batchSize, lr, augment].map(String);
      }),
    );
  });

  it('are those of each method whose masks change', () => {
    const changing = Object.entries(methods).filter(([, { defaults }]) => defaults !== null);
    const options = settingRows.flatMap(([, { methodOption }]) => methodOption ?? []);
    const rows = changing.map(([name, { defaults }]) => [
      name,
      ...options.map((option) => String(defaults?.[option] ?? '–')),
    ]);
    expect(tableOf('by method')).to.deep.equal(rows);
  });

  it('are all others that are fixed, which the help of their flags names too', () => {
    const fixed = Object.entries(FIXED_DEFAULTS);
    expect(tableOf('of all')).to.deep.equal(fixed.map(([name, value]) => [flagOf(name), String(value)]));
    for (const [name, value] of fixed) {
      expect(SETTING_FLAGS[flagOf(name).slice(2)].description).to.match(new RegExp(`; default: ${value}$`));
    }
  });

  it('are what an empty configuration comes to', () => {
    const config = parseConfig({});
    const { defaults } = datasets.mnist10k;
    const { model, epochs, batchSize, lr, augment } = defaults;
    const { dataset, width, optimizer, objective, momentum, seed } = FIXED_DEFAULTS;
    const fixed = { dataset, width, optimizer, objective, momentum, seed };
    expect(config).to.include({ ...fixed, model, epochs, batchSize, lr, augment, epsilon: defaults.epsilon.linf });
  });
});
