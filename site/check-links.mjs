// Finds links of a built site that lead to no file of it, or to no place in a page.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const attribute = /\s(?:href|src)="([^"]*)"/g;
const anchor = /\sid="([^"]*)"/g;
const elsewhere = /^(?:[a-z]+:|\/\/)/i;

const decoded = (text) => decodeURIComponent(text.replaceAll('&amp;', '&').replaceAll('&#39;', "'"));

/**
 * Returns the broken links of all pages below a folder, each with its page.
 *
 * @param base the path below which the site is published
 */
export function brokenLinks(folder, base = '/') {
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const anchors = new Map();
  const anchorsOf = (file) => {
    if (!anchors.has(file)) {
      anchors.set(file, new Set([...readFileSync(file, 'utf8').matchAll(anchor)].map(([, id]) => decoded(id))));
    }
    return anchors.get(file);
  };
  const leadsNowhere = (page, link) => {
    const [path, place = ''] = decoded(link).split('#');
    const start = path.startsWith(base) ? join(folder, path.slice(base.length)) : join(folder, dirname(page), path);
    const target = path === '' ? join(folder, page) : start;
    const candidates = [target, `${target}.html`, join(target, 'index.html')];
    const file = candidates.find((one) => existsSync(one) && statSync(one).isFile());
    if (file === undefined) return true;
    return place !== '' && file.endsWith('.html') && !anchorsOf(file).has(place);
  };
  return pages.flatMap((page) => {
    const html = readFileSync(join(folder, page), 'utf8').replaceAll(/<(script|style)\b[^>]*>.*?<\/\1>/gs, '');
    const links = new Set([...html.matchAll(attribute)].map(([, link]) => link));
    return [...links]
      .filter((link) => link !== '' && !elsewhere.test(link) && leadsNowhere(page, link))
      .map((link) => ({ page: relative('', page), link }));
  });
}
