// Elements of the page: found by their id, which the page must have, or made.

/** The page's element with this id. */
export function byId<E extends HTMLElement>(id: string, type: abstract new () => E): E {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`The page has no ${type.name} #${id}.`);
}

export const select = (id: string): HTMLSelectElement => byId(id, HTMLSelectElement);
export const input = (id: string): HTMLInputElement => byId(id, HTMLInputElement);
export const element = (id: string): HTMLElement => byId(id, HTMLElement);

/** A new element with some of its properties, and what it contains. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Offers these options; the chosen one stays chosen if it is among them. */
export function setOptions(
  list: HTMLSelectElement,
  options: readonly (readonly [value: string, title: string])[],
): void {
  const { value } = list;
  list.replaceChildren(...options.map(([option, title]) => new Option(title, option)));
  if (options.some(([option]) => option === value)) list.value = value;
}
