// The page's side of its worker: calls, answers, and the end of both.

import workerScript from 'worker:../../worker/worker.ts';
import type { Answer, Calculations, MethodName, Question } from '../../worker/protocol.ts';

/** An attack that was cancelled; nothing went wrong. */
export class Cancelled extends Error {}

export interface Calculator extends Calculations {
  /** Ends the attack that is under way, which throws Cancelled, and those that wait. */
  cancel(): void;
  /** Ends the worker; calls under way are never answered. */
  close(): void;
}

/** Starts a worker. It is made of text, since a page that is opened as a file has no other to load. */
export function startCalculator(): Calculator {
  const address = URL.createObjectURL(new Blob([workerScript], { type: 'text/javascript' }));
  const worker = new Worker(address);
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  const post = (question: Question) => worker.postMessage(question);
  worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if ('value' in data) call?.resolve(data.value);
    else call?.reject(data.cancelled ? new Cancelled(data.error) : new Error(data.error));
  });
  worker.addEventListener('error', ({ message }) => {
    for (const { reject } of waiting.values()) reject(new Error(`The page's worker failed: ${message}`));
    waiting.clear();
  });
  const method =
    (name: MethodName) =>
    (...args: readonly unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const id = calls++;
        waiting.set(id, { resolve, reject });
        post({ kind: 'call', id, method: name, args });
      });
  const methods: { readonly [Name in MethodName]: unknown } = {
    describe: method('describe'),
    useBackend: method('useBackend'),
    load: method('load'),
    attack: method('attack'),
    time: method('time'),
  };
  return {
    ...(methods as Calculations),
    cancel: () => post({ kind: 'cancel' }),
    close: () => {
      worker.terminate();
      URL.revokeObjectURL(address);
    },
  };
}
