/** A Markdown table; the first column is text, the others numbers. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|${header.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`;
  return [line(header), rule, ...rows.map(line)].join('\n');
}

/** Three significant digits, without an exponent. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

export const ratio = (value: number): string =>
  Number.isFinite(value) ? `${value.toFixed(value < 9.95 ? 2 : 1)}×` : '–';

export const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(0)} %` : '–');
