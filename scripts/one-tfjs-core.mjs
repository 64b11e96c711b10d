// An esbuild plugin that bundles inner files of tfjs-core without a second tfjs-core: what they import is taken from the
// package's public exports, and so from the one copy that is loaded anyway. Only files without state are bundled.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

const PACKAGE = '@tensorflow/tfjs-core';
const require = createRequire(import.meta.url);
const dist = dirname(require.resolve(`${PACKAGE}/dist/index.js`));
const core = require(PACKAGE);

/** The namespaces in which tfjs-core exports its helper files; every other file exports its names directly. */
const NAMESPACES = {
  util: 'util',
  'ops/axis_util': 'backend_util',
  'ops/broadcast_util': 'broadcast_util',
  'ops/conv_util': 'backend_util',
  'ops/selu_util': 'backend_util',
  'ops/slice_util': 'slice_util',
};

/** What is not exported but follows from exports. */
const DERIVED = {
  ENGINE: ['engine', 'const ENGINE = engine();'],
  convertToTensor: [
    'tensor',
    'const convertToTensor = (x) => (typeof x === "object" && "dataId" in x ? x : tensor(x));',
  ],
};

/** Files that are bundled: gradients, and the ops that only gradients use. They keep nothing between calls. */
const STATELESS = /^(register_all_gradients|gradients\/\w+|ops\/\w+_(grad|backprop|backprop_filter|backprop_input))$/;

const IMPORT = /^import (?:\{ (?<names>[^}]+) \}|\* as (?<space>\w+)) from '(?<path>\.[^']*)';$/gm;

/** The statement that imports the same from the public exports; the statement itself for a file that is bundled. */
function publicImport(statement, { names, space, path }, importer) {
  const file = relative(dist, join(dirname(importer), path));
  if (STATELESS.test(file)) return statement;
  const namespace = NAMESPACES[file];
  const refuse = (name) => {
    throw new Error(`${PACKAGE} does not export ${name} of ${file}, which ${relative(dist, importer)} imports.`);
  };
  if (space !== undefined) {
    if (namespace === undefined) refuse('*');
    return `import { ${namespace} as ${space} } from '${PACKAGE}';`;
  }
  const list = names.split(', ');
  if (namespace !== undefined) {
    for (const name of list) if (!(name in core[namespace])) refuse(name);
    return `import { ${namespace} } from '${PACKAGE}'; const { ${names} } = ${namespace};`;
  }
  return list
    .map((name) => {
      if (name in core) return `import { ${name} } from '${PACKAGE}';`;
      const [source, definition] = DERIVED[name] ?? refuse(name);
      return `import { ${source} } from '${PACKAGE}'; ${definition}`;
    })
    .join(' ');
}

export const oneTfjsCore = {
  name: 'one tfjs-core',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, () => ({ path: PACKAGE, external: true }));
    onLoad({ filter: /tfjs-core[\\/]dist[\\/].*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(IMPORT, (statement, ...rest) =>
        publicImport(statement, rest.at(-1), path),
      ),
      loader: 'js',
    }));
  },
};
