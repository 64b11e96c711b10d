// Every kernel is a function (task, arguments): a task writes what no other task does, so any thread may run it.
// The order of the exports does not matter; src/engine/records.ts names them.
export { thread } from './common';
export { relu } from './elementwise';
export { trap, hang } from './diagnostics';
export { unary } from './elementwise';
export { binary } from './broadcast';
export { cast, logical, select } from './logic';
