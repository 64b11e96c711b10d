import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll(sep, '/')}`),
];

/** A page's headings as addresses, as GitHub makes them. */
const anchors = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

const withoutCode = (text: string) => text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`]*`/g, '');

describe('the docs', () => {
  it('link only to what is there', () => {
    const broken = pages.flatMap((page) =>
      [
        ...withoutCode(readFileSync(join(root, page), 'utf8')).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g),
      ].flatMap(([, path, anchor]) => {
        const target = path === '' ? join(root, page) : join(root, dirname(page), path);
        const there =
          existsSync(target) && (anchor === undefined || anchors(readFileSync(target, 'utf8')).includes(anchor));
        return there ? [] : [`${page}: ${path}${anchor ? `#${anchor}` : ''}`];
      }),
    );
    expect(broken).to.deep.equal([]);
  });

  it('name only sources that exist, besides those that a reader is to write', () => {
    const missing = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/`((?:attacks|src|test|scripts|site)\/[\w./-]+\.\w+)`/g)]
        .map(([, path]) => path)
        // `my-…` and words in capitals stand for names of the reader's own.
        .filter((path) => !/\/my-|\/[A-Z]+\//.test(path) && !existsSync(join(root, path)))
        .map((path) => `${page}: ${path}`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('are all listed on their first page', () => {
    const listed = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const unlisted = readdirSync(join(root, 'docs')).filter(
      (name) => /^(?!README\.md$|pictures$)/.test(name) && !listed.includes(`(${name}`),
    );
    expect(unlisted).to.deep.equal([]);
  });
});
