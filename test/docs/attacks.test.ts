import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attackNames, attackRows } from '../../attacks/attacks.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

describe('the pages of the attacks', () => {
  it('are one for each attack, and the index links them', () => {
    const pages = readdirSync(fileURLToPath(new URL('../../../docs/attacks', import.meta.url)));
    expect(pages.sort()).to.deep.equal(attackNames.map((name) => `${name}.md`).sort());
    const index = read('docs/attacks.md');
    for (const page of pages) expect(index).to.include(`(attacks/${page})`);
  });

  for (const name of attackNames) {
    it(`${name}: has its equation, its paper, an example, and each of its options with the default`, () => {
      const { options } = attackRows[name];
      const page = read(`docs/attacks/${name}.md`);
      expect(page).to.match(/^ {4}.* = .*$|^ {4}.*[←→].*$/m);
      expect(page).to.match(/\(https:\/\/arxiv\.org\/abs\/\d{4}\.\d{4,5}\)/);
      expect(page).to.match(/^```js\n.*?from 'equipoise\/attacks';.*?^```$/ms);
      const rows = [...page.matchAll(/^\| `(\w+)` \| (.+?) \| (.+?) \|$/gm)];
      expect(rows.map(([, option]) => option).sort()).to.deep.equal(Object.keys(options).sort());
      for (const [, option, usual] of rows) {
        const { required, fallback } = options[option as keyof typeof options];
        if (required) expect(usual, option).to.equal('required');
        else if (typeof fallback !== 'function') {
          expect(usual.replaceAll('`', ''), option).to.equal(
            Array.isArray(fallback) ? `[${fallback.join(', ')}]` : `${fallback}`,
          );
        }
      }
      for (const norm of options.norm.known) expect(page).to.include(`\`${norm}\``);
    });
  }
});
