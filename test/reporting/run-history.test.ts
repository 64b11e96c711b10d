import { expect } from 'chai';
import { progressOf } from '../../src/reporting/live/live-panel.ts';
import { parseHistory } from '../../src/reporting/runs/run-history.ts';
import { trainingState } from '../../src/reporting/runs/runs.ts';
import { sampleRuns } from './sample.ts';

const at = (seconds: number): string => new Date(Date.UTC(2030, 0, 1, 12, 0, seconds)).toISOString();
const text = (...events: readonly object[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');
const step = (number: number, seconds: number, loss = 1) => ({
  kind: 'step',
  epoch: 1,
  step: number,
  batch: number,
  batches: 50,
  loss,
  meanLoss: loss,
  lr: 0.1,
  time: at(seconds),
});
const START = { kind: 'start', epoch: 0, step: 0, batches: 50, machine: 'a processor', time: at(0) };

describe('the history of a run', () => {
  it('has the losses of steps, where they were made and when', () => {
    const history = parseHistory(
      text(START, step(5, 10, 2.5), step(10, 20, 1.5), { kind: 'end', epoch: 1, step: 10, time: at(21) }),
    );
    expect(history.steps).to.deep.equal([
      { step: 5, loss: 2.5 },
      { step: 10, loss: 1.5 },
    ]);
    expect(history.machines).to.deep.equal(['a processor']);
    expect([history.started, history.ended]).to.deep.equal([at(0), at(21)]);
    expect(history.log.map((line) => line.text)).to.deep.equal(['training starts', 'training ends']);
  });

  it('takes the steps of epochs that a collapse undid from those that were trained again', () => {
    const collapse = { kind: 'collapse', epoch: 1, step: 15, message: 'collapsed', time: at(31) };
    const { steps, log } = parseHistory(
      text(START, step(5, 10), step(10, 20, 2), step(15, 30, 9), collapse, step(10, 40, 3)),
    );
    expect(steps).to.deep.equal([
      { step: 5, loss: 1 },
      { step: 10, loss: 3 },
    ]);
    expect(log.at(-1)?.text).to.equal('collapsed');
  });

  it('passes over what cannot be read: no lines, half lines, other things', () => {
    const broken = `${text(START)}{"kind":\nnull\n[]\n"x"\n{"kind":1,"time":"${at(1)}"}\n{"kind":"step","step":"5","time":"${at(1)}"}\n`;
    expect(parseHistory(`${broken}${text(step(5, 10))}{"kind":"step","ste`).steps).to.deep.equal([
      { step: 5, loss: 1 },
    ]);
    expect(parseHistory('')).to.deep.include({ started: null, batches: null, position: null, steps: [] });
  });

  it('tells the share that is done and the time that is left, by the steps since the run was started last', () => {
    const [{ config }] = sampleRuns();
    const resumed = { kind: 'resume', epoch: 1, step: 50, machine: 'another', time: at(100) };
    const history = parseHistory(text(START, step(50, 50), resumed, { ...step(25, 110), epoch: 2, step: 75 }));
    // 25 steps in 10 s, and 425 of 500 are left.
    expect(progressOf({ config, history })).to.deep.equal({ share: 0.15, secondsLeft: 170 });
    expect(progressOf({ config, history: parseHistory(text(START)) })).to.deep.equal({ share: 0, secondsLeft: null });
    expect(progressOf({ config, history: parseHistory('') })).to.equal(null);
  });
});

describe('how far a training is', () => {
  const [{ config }] = sampleRuns();
  const state = (epoch: number | null, writer: { name: string; lives: boolean } | null) =>
    trainingState({ config, last: epoch === null ? null : { epoch, datasetSha256: null }, writer });

  it('is said by its last checkpoint and by the lock of its folder', () => {
    const here = { name: 'process 7 on here', lives: true };
    expect(state(3, here)).to.equal('epoch 4 of 10, running');
    expect(state(null, here)).to.equal('epoch 1 of 10, running');
    expect(state(3, { name: 'process 7 on there', lives: false })).to.equal(
      'epoch 4 of 10, locked by process 7 on there',
    );
    expect(state(3, null)).to.equal('stopped after 3 of 10 epochs');
    expect(state(10, here)).to.equal('being evaluated');
    expect(state(10, null)).to.equal('complete');
  });
});
