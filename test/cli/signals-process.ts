// Listens for signals and never stops by itself: node signals-process.js
import { listenForSignals } from '../../src/cli/terminal/signals.ts';

const { signal } = listenForSignals(() => console.log('stopping'));
signal.addEventListener('abort', () => console.log(signal.reason));
setInterval(() => {}, 1000);
console.log('ready');
