// Numbers as the command line prints them.
export { byteSize, duration } from '../../core/quantities.ts';

/** A fraction in per cent, such as `93.2 %`. */
export const percent = (fraction: number): string => `${Number((100 * fraction).toFixed(1))} %`;
