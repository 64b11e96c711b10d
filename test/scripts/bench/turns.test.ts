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

  it("finds the fastest of a rival's forms, their first runs left out", async () => {
    const order: string[] = [];
    const forms = [side('cold', [9, 2, 4], order), side('slow', [1, 3, 3], order)];
    expect((await fastestOf(forms, 2)).name).to.equal('cold');
    expect(order).to.deep.equal(['cold', 'slow', 'cold', 'slow', 'cold', 'slow']);
  });
});
