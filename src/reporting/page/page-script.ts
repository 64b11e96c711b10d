// What a page does beyond what its text does: tables are sorted, text is copied, folded parts open where a link leads and for
// printing, and the contents mark what is being read. Each function is put into the page as text, so none uses anything outside
// itself. Without scripts all of this is missing, and nothing else. Where a part of the page is replaced, the document gets the
// event `replaced`.

import { createHash } from 'node:crypto';

/** Makes the headings of sortable tables buttons. */
function sortTables(): void {
  const prepare = (table: HTMLTableElement) => {
    const headings = [...table.querySelectorAll<HTMLTableCellElement>('thead th')];
    headings.forEach((heading, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener('click', () => {
        const ascending = heading.getAttribute('aria-sort') === 'descending';
        for (const other of headings) other.removeAttribute('aria-sort');
        heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
        const rows = [...table.tBodies[0].rows];
        const value = (row: HTMLTableRowElement) => row.cells[column].dataset.value ?? row.cells[column].innerText;
        const numeric = rows.every((row) => value(row) === '' || !Number.isNaN(Number(value(row))));
        const compare = (a: HTMLTableRowElement, b: HTMLTableRowElement) =>
          numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b));
        rows.sort((a, b) => (ascending ? compare(a, b) : compare(b, a)));
        table.tBodies[0].append(...rows);
      });
    });
  };
  const prepareAll = () => document.querySelectorAll<HTMLTableElement>('table.sortable').forEach(prepare);
  prepareAll();
  document.addEventListener('replaced', prepareAll);
}

/** Puts a button that copies beside each text that is there to be copied. */
function copyTexts(): void {
  const prepare = (text: HTMLElement) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy-button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(text.textContent ?? '');
        button.textContent = 'Copied';
      } catch {
        getSelection()?.selectAllChildren(text);
        button.textContent = 'Selected';
      }
      setTimeout(() => {
        button.textContent = 'Copy';
      }, 2000);
    });
    text.before(button);
  };
  const prepareAll = () => document.querySelectorAll<HTMLElement>('pre.copy').forEach(prepare);
  prepareAll();
  document.addEventListener('replaced', prepareAll);
}

/** Opens folded parts that a link leads to, and all of them while the page is printed. */
function openFolded(): void {
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target?.closest('details');
    if (folded) folded.open = true;
  };
  addEventListener('hashchange', reveal);
  reveal();
  let opened: HTMLDetailsElement[] = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details')].filter((details) => !details.open);
    for (const details of opened) details.open = true;
  });
  addEventListener('afterprint', () => {
    for (const details of opened) details.open = false;
  });
}

/** Marks the part of the page that is being read in the contents. */
function markContents(): void {
  const find = () =>
    [...document.querySelectorAll<HTMLAnchorElement>('nav a[href^="#"]')].flatMap((link) => {
      const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      return target ? [{ link, target }] : [];
    });
  let parts = find();
  const mark = () => {
    const read = parts.findLast(({ target }) => target.getBoundingClientRect().top < innerHeight / 3) ?? parts[0];
    for (const { link } of parts) {
      if (link === read?.link) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  };
  addEventListener('scroll', mark, { passive: true });
  document.addEventListener('replaced', () => {
    parts = find();
    mark();
  });
  mark();
}

/** Shows what a server tells while runs are made, and keeps folded parts and choices as the reader set them. */
function followServer(): void {
  const replace = (id: string, text: string) => {
    const place = document.getElementById(id);
    if (place === null) return;
    const nameOf = (details: HTMLDetailsElement) => details.querySelector('summary')?.textContent ?? '';
    const folds = new Map([...place.querySelectorAll('details')].map((details) => [nameOf(details), details.open]));
    const chosen = [...place.querySelectorAll<HTMLInputElement>('input:checked')].map(({ name, className }) => ({
      name,
      className,
    }));
    const top = scrollY;
    place.innerHTML = text;
    for (const details of place.querySelectorAll('details')) details.open = folds.get(nameOf(details)) ?? details.open;
    for (const input of place.querySelectorAll('input')) {
      if (chosen.some(({ name, className }) => name === input.name && className === input.className))
        input.checked = true;
    }
    scrollTo(scrollX, top);
    document.dispatchEvent(new Event('replaced'));
  };
  const source = new EventSource('/events');
  source.addEventListener('live', ({ data }) => replace('live', JSON.parse(data)));
  const fetchReport = async () => {
    const response = await fetch('/body');
    if (response.ok) replace('report', await response.text());
  };
  source.addEventListener('report', fetchReport);
  source.addEventListener('open', () => {
    // A server that was started again may have another report.
    if (document.body.classList.contains('lost')) fetchReport();
    document.body.classList.remove('lost');
  });
  source.addEventListener('error', () => document.body.classList.add('lost'));
}

/** Functions as the text of a script that calls each of them once. */
export const scriptOf = (...functions: readonly (() => void)[]): string =>
  functions.map((call) => `(${call.toString()})();`).join('\n');

/** The script of every page. */
export const PAGE_SCRIPT = scriptOf(sortTables, copyTexts, openFolded, markContents);

/** The script of a page that a server updates. */
export const LIVE_SCRIPT = scriptOf(sortTables, copyTexts, openFolded, markContents, followServer);

/** The source of a content security policy that lets this script run, and no other. */
export const scriptSource = (script: string): string =>
  `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
