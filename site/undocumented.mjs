// Finds public names without a docstring in typedoc's description of the package.

/** Returns true if a name, or one of its call signatures, is documented. */
const isDocumented = ({ comment, signatures = [], type }) =>
  [comment, ...signatures.map((signature) => signature.comment), ...signaturesOf(type)].some(
    (one) => one !== undefined && (one.summary.length > 0 || (one.blockTags ?? []).length > 0),
  );

/** The comments of a constant that holds a function. */
const signaturesOf = (type) => (type?.declaration?.signatures ?? []).map(({ comment }) => comment);

/** Returns the names, each as MODULE.NAME. A name that one module exports again from another counts once. */
export const undocumentedNames = ({ children: modules = [] }) =>
  modules.flatMap(({ name: module, children = [] }) =>
    children
      .filter(({ variant }) => variant !== 'reference')
      .filter((child) => !isDocumented(child))
      .map(({ name }) => `${module}.${name}`),
  );
