// HTML as tagged templates: everything that is put into a page is escaped, unless it is HTML already.

/** Text that is HTML already; everything else is escaped when it is put into a page. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a page can be filled with; null and false leave no trace. */
export type Content = Html | string | number | null | false | readonly Content[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

function render(content: Content): string {
  if (content === null || content === false) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(render).join('');
  return escapeText(String(content));
}

/** A piece of HTML, what is filled in being escaped: html`<b>${name}</b>`. */
export const html = (strings: TemplateStringsArray, ...contents: readonly Content[]): Html =>
  new Html(strings.reduce((text, string, i) => text + render(contents[i - 1]) + string));
