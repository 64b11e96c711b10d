import { expect } from 'chai';
import { replaceFigures } from '../../../scripts/bench/blocks.ts';

const SECTIONS = ['network', 'layers', 'scaling'];
const EMPTY = '# Page\n\n<!-- figures -->\n<!-- /all figures -->\n\nEnd.\n';
const write = (page: string, variant: string, section: string, text: string) =>
  replaceFigures(page, variant, section, text, SECTIONS);

describe('figures in a page', () => {
  it('are put below a heading for the way of running, and the rest of the page stays', () => {
    expect(write(EMPTY, 'Node 24', 'layers', 'A')).to.equal(
      '# Page\n\n<!-- figures -->\n\n## Node 24\n\n<!-- figures layers: Node 24 -->\nA\n<!-- /figures -->\n<!-- /all figures -->\n\nEnd.\n',
    );
  });

  it('are replaced, not added to', () => {
    const once = write(write(EMPTY, 'Node 24', 'network', 'first'), 'Node 24', 'layers', 'other');
    const twice = write(once, 'Node 24', 'network', 'second');
    expect(twice).to.equal(once.replace('first', 'second'));
  });

  it('come in the order of the sections, whatever ran first, each below its own heading', () => {
    let page = EMPTY;
    for (const variant of ['Node 24', 'Node 20']) {
      for (const section of ['scaling', 'network', 'layers']) page = write(page, variant, section, `${section}!`);
    }
    expect(page.match(/^## .*|[a-z]+!/gm)).to.deep.equal([
      '## Node 24',
      'network!',
      'layers!',
      'scaling!',
      '## Node 20',
      'network!',
      'layers!',
      'scaling!',
    ]);
  });

  it('need their place in the page', () => {
    expect(() => write('# Page\n', 'Node 24', 'network', 'A')).to.throw('no place for figures');
  });
});
