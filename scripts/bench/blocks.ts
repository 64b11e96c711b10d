/*
 * A Markdown page with figures that the bench writes: for each way of running (Node version, build of the kernels,
 * processor) a heading, and below it one marked block for each section.
 *
 *     <!-- figures -->
 *     ## Node 24, kernels relaxed, Intel Xeon
 *     <!-- figures network: Node 24, kernels relaxed, Intel Xeon -->
 *     …
 *     <!-- /figures -->
 *     <!-- /all figures -->
 *
 * Only what lies between such marks is ever replaced.
 */
const START = '<!-- figures -->';
const END = '<!-- /all figures -->';

const blockStart = (variant: string, section: string): string => `<!-- figures ${section}: ${variant} -->`;
const BLOCK_END = '<!-- /figures -->';

/** The page with one section's figures replaced, or added in the order of `sections`. */
export function replaceFigures(
  page: string,
  variant: string,
  section: string,
  text: string,
  sections: readonly string[],
): string {
  const from = page.indexOf(START);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`The page has no place for figures: lines ${START} and ${END}.`);
  const body = page.slice(from + START.length, to);
  const block = `${blockStart(variant, section)}\n${text.trim()}\n${BLOCK_END}\n`;
  return page.slice(0, from + START.length) + insert(body, variant, section, block, sections) + page.slice(to);
}

function insert(body: string, variant: string, section: string, block: string, sections: readonly string[]): string {
  const start = body.indexOf(blockStart(variant, section));
  if (start >= 0) {
    const end = body.indexOf(BLOCK_END, start) + BLOCK_END.length + 1;
    return body.slice(0, start) + block + body.slice(end);
  }
  const heading = `## ${variant}\n`;
  const withHeading = body.includes(heading) ? body : `${body.trimEnd()}\n\n${heading}\n`;
  // After the last block of this variant that comes before in the order, else right below the heading.
  let at = withHeading.indexOf(heading) + heading.length + 1;
  for (const earlier of sections.slice(0, sections.indexOf(section))) {
    const found = withHeading.indexOf(blockStart(variant, earlier));
    if (found >= 0) at = withHeading.indexOf(BLOCK_END, found) + BLOCK_END.length + 1;
  }
  return `${withHeading.slice(0, at).trimEnd()}\n\n${block}${withHeading.slice(at)}`;
}
