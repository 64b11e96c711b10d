// What a terminal shows of a sweep, event by event.
import { expect } from 'chai';
import type { Screen } from '../../src/cli/terminal/screen.ts';
import { runLine, showSweep, wholeSweep } from '../../src/cli/terminal/sweep-progress.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { type JobEvent, warningOf } from '../../src/sweeps/job.ts';
import { silentTerminal } from './terminal.ts';

const jobs = jobsOf({ settings: { dataset: 'synthetic', model: 'mlp', epochs: 4 }, axes: { seed: [0, 1, 2] } });

const step = (epoch: number, batch: number): JobEvent => ({
  kind: 'train',
  event: { kind: 'step', epoch, batch, batches: 2, step: 1, meanLoss: 1.5 } as (JobEvent & { kind: 'train' })['event'],
});

const attackStep = (done: number): JobEvent => ({
  kind: 'evaluate-step',
  step: {
    checkpoint: 'best',
    attack: 'autoattack',
    epsilon: 0.1,
    step: 1,
    steps: 2,
    left: 3,
    share: 0.5,
    done,
    total: 10,
  },
});

/** A screen that keeps what is drawn on it, and everything noted beside. */
function recorder(columns: number) {
  const drawn: string[] = [];
  const notes: string[] = [];
  const screen: Screen = {
    columns,
    rows: 24,
    start: async () => {},
    draw: (text) => void drawn.push(text),
    clear: () => void drawn.push(''),
    above: (write) => write(),
  };
  const note = (text: string) => void notes.push(text);
  return { terminal: { ...silentTerminal(), screen, note, warn: note }, drawn, notes };
}

/** Shows events, a second apart. */
async function shown(columns: number, events: (tell: (position: number, event: JobEvent) => void) => void) {
  const { terminal, drawn, notes } = recorder(columns);
  let time = 0;
  const show = await showSweep(jobs, { workers: 2, evaluated: true, now: () => time }, terminal);
  show.update({ kind: 'start', jobs, missing: 3 });
  for (const position of [0, 1]) show.update({ kind: 'job-start', job: jobs[position], position });
  events((position, event) => {
    time += 1000;
    show.update({ kind: 'job-event', job: jobs[position], position, event });
  });
  return { drawn, notes, show };
}

describe('the bars of a sweep', () => {
  for (const columns of [120, 80, 40]) {
    it(`are one for all runs and one for each worker, in ${columns} columns`, async () => {
      const { drawn } = await shown(columns, (tell) => {
        tell(0, step(3, 2));
        tell(1, step(2, 2));
      });
      const lines = drawn.at(-1)?.split('\n') ?? [];
      expect(lines).to.have.length(3);
      for (const line of lines) expect(line.length).to.be.below(columns);
      expect(lines[0]).to.match(/^0\/3 runs .*20 %/);
      expect(lines[1]).to.match(/^\[1\/3\].* epoch 3\/4 .*75 %/);
      expect(lines[2]).to.match(/^\[2\/3\].* epoch 2\/4 .*50 %/);
    });
  }

  it('advance during AutoAttack', async () => {
    const { drawn } = await shown(120, (tell) => {
      tell(0, attackStep(2.5));
      tell(0, attackStep(7.5));
    });
    const [before, after] = drawn.slice(-2).map((text) => text.split('\n'));
    expect(before[1]).to.match(/evaluating best autoattack .*25 %/);
    expect(after[1]).to.match(/evaluating best autoattack .*75 %/);
    expect(before[0]).to.match(/20 %/);
    expect(after[0]).to.match(/29 %/);
  });

  it('give way to a line of results when a run ends', async () => {
    const { drawn, notes, show } = await shown(80, (tell) => {
      tell(0, { kind: 'evaluated', results: [{ checkpoint: 'best', clean: 0.931, robust: 0.4 }] });
    });
    show.update({ kind: 'job-end', job: jobs[0], position: 0, status: { kind: 'done' } });
    show.update({ kind: 'job-end', job: jobs[1], position: 1, status: { kind: 'failed', message: 'no data' } });
    expect(notes.at(-2)).to.equal(`[1/3] ${jobs[0].name}: done in 1 s, best: 93.1 % clean, 40 % robust`);
    expect(notes.at(-1)).to.equal(`[2/3] ${jobs[1].name}: failed: no data`);
    expect(drawn.at(-1)?.split('\n')).to.have.length(1);
  });

  it('warn of a network that collapsed', () => {
    const attack = { name: 'pgd', steps: 2, epsilon: 0.1, stepSize: 0.125 } as const;
    const found = { epoch: 4, step: 13, accuracy: 0.1, best: 0.4, returnsTo: 2, collapses: 1, attack };
    const event = { kind: 'collapse', ...found, message: 'The network collapsed.' } as const;
    expect(warningOf({ kind: 'train', event })).to.equal('The network collapsed.');
    expect(warningOf(step(1, 1))).to.equal(null);
  });

  it('tell times and not rates, from the first run that is done', () => {
    const state = {
      label: '[2/9] a',
      place: '[2/9]',
      startedAt: 0,
      phase: 'epoch 1/4',
      share: 0.5,
      figures: '',
      results: '',
    };
    const whole = { ended: 1, missing: 9, workers: 2, states: [state], evaluated: false };
    expect(wholeSweep({ ...whole, took: [196] })).to.include({ rate: '3 min 16 s a run', left: '12 min 15 s left' });
    expect(wholeSweep({ ...whole, took: [] })).to.include({ rate: '', left: '', phase: '1/9 runs' });
    expect(runLine(state, 30)).to.match(/^\[2\/9\] .*epoch 1\/4/);
    const busy = {
      ...state,
      label: '[5/18] at-rigl-0.97-agent-seed0',
      phase: 'epoch 4/4 validation',
      figures: 'loss 1.884',
    };
    const shortened = runLine(busy, 80);
    expect(shortened).to.match(/^\[5\/18\] at-rigl-0\.97-agent-seed0 epoch 4\/4 validation [█░]+ .*loss 1\.884$/);
    expect(shortened.length).to.be.below(80);
  });
});
