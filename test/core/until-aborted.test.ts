import { expect } from 'chai';
import { untilAborted } from '../../src/core/until-aborted.ts';
import { rejection } from '../rejection.ts';

describe('waiting until a signal is aborted', () => {
  const never = new Promise<number>(() => {});

  it('gives the value, or the error, of work that ends before', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve(3), signal)).to.equal(3);
    expect((await rejection(untilAborted(Promise.reject(new Error('lost')), signal))).message).to.equal('lost');
  });

  it('ends with nothing at the signal, and at once if that came before', async () => {
    const stop = new AbortController();
    const waiting = untilAborted(never, stop.signal);
    stop.abort();
    expect(await waiting).to.equal(undefined);
    expect(await untilAborted(Promise.resolve(3), stop.signal)).to.equal(undefined);
  });

  it('drops the error of work that fails after the signal', async () => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', hear);
    try {
      expect(await untilAborted(Promise.reject(new Error('late')), AbortSignal.abort())).to.equal(undefined);
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });
});
