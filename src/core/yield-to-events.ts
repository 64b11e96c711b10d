// The one way to let the event loop run in the middle of long work, in Node and in browsers.

/** `setImmediate` where there is one: browsers have only timers, and those wait a millisecond or more. */
const { setImmediate = setTimeout } = globalThis as { readonly setImmediate?: (run: () => void) => unknown };

/** Lets timers, signals and output have their turn. */
export const yieldToEvents = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
