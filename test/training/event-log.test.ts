import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventLog } from '../../src/training/run/event-log.ts';

describe('events.jsonl', () => {
  /** The numbers of the batches whose steps are kept, of an epoch of so many. */
  const kept = async (batches: number): Promise<number[]> => {
    const folder = await mkdtemp(join(tmpdir(), 'equipoise-events-'));
    try {
      const path = join(folder, 'events.jsonl');
      await writeFile(path, '');
      const told: number[] = [];
      const report = eventLog(
        path,
        async () => {},
        (event) => event.kind === 'step' && told.push(event.batch),
      );
      for (let batch = 1; batch <= batches; batch++) {
        await report({ kind: 'step', epoch: 1, step: batch, batch, batches, loss: batch, meanLoss: batch, lr: 0.1 });
      }
      expect(told).to.have.length(batches);
      const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line)).map(({ batch, loss }) => (loss === batch ? batch : Number.NaN));
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  it('keeps about twenty steps of an epoch, the last one among them, by their numbers alone', async () => {
    expect(await kept(3)).to.deep.equal([1, 2, 3]);
    expect(await kept(20)).to.have.length(20);
    expect(await kept(50)).to.deep.equal([...Array.from({ length: 16 }, (_, i) => 3 * (i + 1)), 50]);
    expect(await kept(391)).to.deep.equal([...Array.from({ length: 19 }, (_, i) => 20 * (i + 1)), 391]);
  });
});
