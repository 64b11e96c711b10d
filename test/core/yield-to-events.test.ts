import { expect } from 'chai';
import { yieldToEvents } from '../../src/core/yield-to-events.ts';

describe('yielding to the event loop', () => {
  it('lets timers that are due run, which promises alone do not', async () => {
    const seen: string[] = [];
    const timer = new Promise<void>((resolve) => {
      setTimeout(() => {
        seen.push('timer');
        resolve();
      });
    });
    await Promise.resolve();
    expect(seen).to.deep.equal([]);
    while (seen.length === 0) await yieldToEvents();
    expect(seen).to.deep.equal(['timer']);
    await timer;
  });
});
