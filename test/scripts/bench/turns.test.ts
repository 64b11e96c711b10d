import { expect } from 'chai';
import { fastestOf, type Side, takeTurns } from '../../../scripts/bench/turns.ts';

describe('taking turns', () => {
  const side = (name: string, times: number[], order: string[]): Side => ({
    name,
    run: async () => {
      order.push(name);
      return times.shift() as number;
    },
  });

  it('interleaves the sides and leaves the warm-up out', async () => {
    const order: string[] = [];
    const times = await takeTurns([side('a', [100, 1, 2], order), side('b', [100, 3, 4], order)], 2);
    expect(order).to.deep.equal(['a', 'b', 'a', 'b', 'a', 'b']);
    expect([...times]).to.deep.equal([
      ['a', [1, 2]],
      ['b', [3, 4]],
    ]);
  });

  it('does without a warm-up where told so', async () => {
    const times = await takeTurns([side('a', [1, 2], [])], 2, { warmUp: false });
    expect([...times]).to.deep.equal([['a', [1, 2]]]);
  });

  it("goes on with the fastest of a rival's forms alone", async () => {
    const order: string[] = [];
    const sides = [side('slow', [9], order), side('fast', [2, 5], order), side('ours', [3, 6], order)];
    const times = await takeTurns(sides, 1, { choose: fastestOf(sides, ['slow', 'fast']) });
    expect([...times]).to.deep.equal([
      ['fast', [5]],
      ['ours', [6]],
    ]);
  });
});
