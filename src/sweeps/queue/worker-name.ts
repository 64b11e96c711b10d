// How a worker is called.
import { hostname } from 'node:os';
import process from 'node:process';

/** The name of this worker, for people. */
export const workerName = (): string => `${hostname()}:${process.pid}`;
