import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type AttackName, attackNorms, attacks } from '../../attacks/index.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

/** Where an attack's options are declared, and which of them it does not take. */
const declared: { readonly [Name in AttackName]: readonly [file: string, name: string, without?: readonly string[]] } =
  {
    fgsm: ['fgsm', 'FgsmOptions'],
    bim: ['pgd', 'PgdOptions', ['randomStart', 'restarts']],
    pgd: ['pgd', 'PgdOptions'],
    'mi-fgsm': ['pgd', 'PgdOptions', ['randomStart', 'restarts']],
    'apgd-ce': ['apgd', 'ApgdOptions'],
    'apgd-dlr': ['apgd', 'ApgdOptions', ['loss']],
    'apgd-t': ['apgd', 'ApgdOptions|ApgdTOptions', ['loss']],
    'fab-t': ['fab', 'FabTOptions'],
    square: ['square', 'SquareOptions'],
    autoattack: ['autoattack', 'AutoAttackOptions'],
    deepfool: ['deepfool', 'DeepFoolOptions'],
    'cw-l2': ['cw', 'CwL2Options'],
  };

function optionsOf(name: AttackName): readonly string[] {
  const [file, interfaces, without = []] = declared[name];
  const bodies = read(`attacks/${file}.ts`).matchAll(new RegExp(`^export interface (?:${interfaces}) .*?^}`, 'gms'));
  return [...bodies]
    .flatMap(([body]) => [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option]) => option))
    .filter((option) => !without.includes(option));
}

describe('the pages of the attacks', () => {
  it('are one for each attack, and the index links them', () => {
    const pages = readdirSync(fileURLToPath(new URL('../../../docs/attacks', import.meta.url)));
    expect(pages.sort()).to.deep.equal(
      Object.keys(attacks)
        .map((name) => `${name}.md`)
        .sort(),
    );
    const index = read('docs/attacks.md');
    for (const page of pages) expect(index).to.include(`(attacks/${page})`);
  });

  for (const name of Object.keys(attacks) as AttackName[]) {
    it(`${name}: has its equation, its paper, an example, and each of its options with the default`, () => {
      const page = read(`docs/attacks/${name}.md`);
      expect(page).to.match(/^ {4}.* = .*$|^ {4}.*[←→].*$/m);
      expect(page).to.match(/\(https:\/\/arxiv\.org\/abs\/\d{4}\.\d{4,5}\)/);
      expect(page).to.match(/^```js\n.*?from 'equipoise\/attacks';.*?^```$/ms);
      const rows = [...page.matchAll(/^\| `(\w+)` \| (.+?) \| (.+?) \|$/gm)].map(([, option]) => option);
      expect(rows.sort()).to.deep.equal([...optionsOf(name)].sort());
      for (const norm of attackNorms[name]) expect(page).to.include(`\`${norm}\``);
    });
  }
});
