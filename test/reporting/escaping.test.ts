import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { html } from '../../src/reporting/page/html.ts';
import { renderPage } from '../../src/reporting/page/page.ts';
import { type Gallery, parseGallery } from '../../src/reporting/pictures/gallery.ts';
import { showPictures } from '../../src/reporting/pictures/pictures.ts';
import { collectReport, withGallery } from '../../src/reporting/report-data.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { sampleGallery, sampleRuns } from './sample.ts';

/** Every tag of a page with the names of its attributes, in order; and every value of an attribute that may load something. */
function markupOf(page: string): { tags: string[]; urls: string[] } {
  const tags: string[] = [];
  const urls: string[] = [];
  for (const [, name, rest] of page.matchAll(/<([!/]?[a-z][\w-]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>/gi)) {
    const attributes = [...rest.matchAll(/([\w:-]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)/g)];
    tags.push([name, ...attributes.map(([, attribute]) => attribute)].join(' '));
    for (const [, attribute, value] of attributes) {
      if (/^(src|href|xlink:href|data|action|poster|srcset)$/i.test(attribute)) urls.push(value.slice(1, -1));
    }
  }
  return { tags, urls };
}

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=https://example.com/a.png onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</title></svg></style><iframe src=//example.com>',
  'url(https://example.com/a)',
  'javascript:alert(1)',
  '&lt;b&gt; &#60;b&#62;',
  '`<!--',
  ']]><![CDATA[',
  '\u0000\u2028\u202e<b>',
];

const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string(),
  fc.string({ unit: fc.constantFrom(...'<>"\'&/=`$(){}:;-! \nabimgsrc') }),
);

/** One run, with a gallery, whose texts are all `text`. */
function pageWith(text: string): Promise<string> {
  const [{ config, evaluations, ...rest }] = sampleRuns();
  const run: RunRecord = {
    ...rest,
    name: text,
    config: { ...config, model: text as typeof config.model },
    evaluations: evaluations.map((evaluation) => ({
      ...evaluation,
      target: { ...evaluation.target, preprocessing: null },
      dataset: { ...evaluation.dataset, name: text, official: false, classes: [text] },
      attacks: evaluation.attacks.map((result) => ({
        ...result,
        attack: result.attack === 'union' ? 'union' : text === 'union' ? 'other' : text,
      })),
      alarms: evaluation.alarms.map((alarm) => ({ ...alarm, detail: text, status: 'raised' as const })),
      backend: text,
      version: text,
    })),
  };
  const gallery: Gallery = {
    norm: 'linf',
    epsilon: 0.1,
    attack: text,
    images: sampleGallery().images.map((image) => ({
      ...image,
      label: text,
      rows: image.rows.map((row) => ({
        ...row,
        attacked: text,
        predictions: row.predictions.map((each) => ({ ...each, net: text, clean: text, adversarial: text })),
      })),
    })),
  };
  return renderPage(withGallery(collectReport([run], text, { leftOut: [{ run: text, reason: text }] }), gallery));
}

describe('no text of a report', () => {
  it('makes an element, an attribute or an address', async () => {
    const plain = markupOf(await pageWith('plain'));
    expect(plain.tags.length).to.be.above(300);
    const check = async (text: string) => {
      const found = markupOf(await pageWith(text));
      expect(found.tags).to.deep.equal(plain.tags);
      expect(found.urls).to.deep.equal(plain.urls);
    };
    await check(HOSTILE.join(' '));
    await fc.assert(fc.asyncProperty(hostile, check), { numRuns: 4 });
  });

  it('ends the place that it is filled into', () =>
    fc.assert(
      fc.property(hostile, (text) => {
        const { text: page } = html`<p title="${text}">${text}</p>`;
        expect(markupOf(page).tags).to.deep.equal(['p title', '/p']);
        expect(page.match(/[<>]/g)).to.have.length(4);
      }),
    ));

  it('is an address of a picture', () =>
    fc.assert(
      fc.property(hostile, (text) => {
        const pictures = { clean: text, perturbation: text, adversarial: text, magnification: 1 };
        const { urls, tags } = markupOf(showPictures(pictures, { index: 1, label: text }).text);
        expect(tags.filter((tag) => tag.startsWith('img'))).to.deep.equal([
          'img src alt',
          'img src alt',
          'img src alt',
        ]);
        for (const url of urls) expect(url).to.match(/^data:image\/png;base64,/);
      }),
    ));
});

describe('a gallery.json', () => {
  const kept = { identity: 'abc', gallery: sampleGallery() };
  const withValue = (change: (copy: { identity: unknown; gallery: Record<string, unknown> }) => void): string => {
    const copy = JSON.parse(JSON.stringify(kept));
    change(copy);
    return JSON.stringify(copy);
  };

  it('is read as it was written', () => expect(parseGallery(JSON.stringify(kept), 'g')).to.deep.equal(kept));

  it('that would load a picture from elsewhere, or holds none, is refused by the field', () => {
    for (const picture of [
      'https://example.com/a.png',
      'data:image/svg+xml,<svg/>',
      '',
      'iVBORw0KGgo"',
      '//example.com',
    ]) {
      const text = withValue(({ gallery }) => {
        // biome-ignore lint/suspicious/noExplicitAny: a broken copy
        (gallery as any).images[1].rows[0].clean = picture;
      });
      expect(() => parseGallery(text, 'gallery.json')).to.throw(
        InputError,
        /gallery\.json: gallery\.images\[1\]\.rows\[0\]\.clean: expected a PNG file in base64/,
      );
    }
  });

  it('of other fields is refused by the field', () => {
    const change = (name: string, value: unknown) =>
      withValue(({ gallery }) => Object.assign(gallery, { [name]: value }));
    expect(() => parseGallery(change('epsilon', '0.1'), 'g')).to.throw(
      InputError,
      /g: gallery\.epsilon: expected number/,
    );
    expect(() => parseGallery(change('norm', 'l7'), 'g')).to.throw(InputError, /g: gallery\.norm/);
    expect(() => parseGallery(change('images', null), 'g')).to.throw(InputError, /g: gallery\.images: expected array/);
    expect(() => parseGallery('{', 'g')).to.throw(InputError, /g: expected JSON/);
  });
});
