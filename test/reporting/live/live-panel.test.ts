// The panel of what runs now, over runs made up for tests.
import { expect } from 'chai';
import { livePanel } from '../../../src/reporting/live/live-panel.ts';
import { isComplete } from '../../../src/reporting/runs/runs.ts';
import { sampleRuns } from '../sample.ts';

describe('the panel of what runs now', () => {
  const [run] = sampleRuns().filter(isComplete);

  it('counts a run that is being evaluated as in progress, and not as complete too', async () => {
    const evaluated = { ...run, writer: { name: 'process 1', lives: true } };
    const { text } = await livePanel([run, evaluated]);
    expect(text).to.contain('1 of 2 runs complete, 1 run in progress.').and.to.contain('being evaluated');
  });
});
