import { expect } from 'chai';
import { identitiesOf, NO_IDENTITY, type RunIdentity } from '../../src/reporting/groups/identity.ts';
import { collectReport } from '../../src/reporting/report-data.ts';
import { parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { sampleRuns } from './sample.ts';

const base = { dataset: 'mnist10k', sparsity: 0.9, epochs: 10, lr: 0.1 } as const satisfies TrainOptions;
const identify = (...all: TrainOptions[]): RunIdentity[] => {
  const found = identitiesOf(all.map((options, i) => ({ name: `${i}`, config: parseConfig({ ...base, ...options }) })));
  return all.map((_, i) => found.get(`${i}`) ?? NO_IDENTITY);
};

describe('what a run is averaged and compared with', () => {
  it('is averaged with what differs in the seed alone', () => {
    const [a, b, c] = identify({ seed: 0 }, { seed: 1 }, { seed: 1, lr: 0.2 });
    expect(a.repeated).to.equal(b.repeated);
    expect(a.repeated).not.to.equal(c.repeated);
  });

  it('is compared with what differs in the correction too, and in nothing else', () => {
    const [sgd, agent, matched, longer] = identify(
      {},
      { optimizer: 'agent', seed: 1 },
      { optimizer: 'agent', agentPrepass: 'matched', agentGamma: 0.3 },
      { optimizer: 'agent', epochs: 11 },
    );
    expect(agent.paired).to.equal(sgd.paired);
    expect(matched.paired).to.equal(sgd.paired);
    expect(agent.repeated).not.to.equal(sgd.repeated);
    expect(longer.paired).not.to.equal(sgd.paired);
  });

  it('is called by the settings that differ within its sparsity, method and correction from what most have', () => {
    const variants = identify(
      { epochs: 10 },
      { epochs: 12, seed: 1 },
      { sparsity: 0.95, lr: 0.3 },
      { optimizer: 'agent', agentGamma: 0.3 },
      { optimizer: 'agent', agentGamma: 0.1 },
      { optimizer: 'agent', agentGamma: 0.1, seed: 1 },
    ).map(({ variant }) => variant);
    expect(variants).to.deep.equal(['', 'epochs 12', '', 'γ 0.3', '', '']);
  });

  it('is called stable under that variant, even where all corrected runs have it, and not by what follows from it', () => {
    const stable = { optimizer: 'agent', agentVariant: 'stable' } as const;
    expect(identify({}, stable, { ...stable, seed: 1 }).map(({ variant }) => variant)).to.deep.equal([
      '',
      'variant stable',
      'variant stable',
    ]);
    expect(
      identify({}, stable, { optimizer: 'agent', agentPrepass: 'matched' }, { optimizer: 'agent' }).map(
        ({ variant }) => variant,
      ),
    ).to.deep.equal(['', 'variant stable', '', '']);
    expect(identify(stable, { ...stable, agentFirstEpoch: 3 })[1].variant).to.include('agentFirstEpoch 3');
  });

  it('is called by a training attack other than pgd, even where all runs have it, and not by what follows from it', () => {
    const variants = (...all: TrainOptions[]) => identify(...all).map(({ variant }) => variant);
    const [nFgsm, rsFgsm] = (['n-fgsm', 'rs-fgsm'] as const).map((trainingAttack) => ({ trainingAttack }));
    expect(variants({ steps: 1 }, nFgsm, rsFgsm)).to.deep.equal([
      '',
      'trainingAttack n-fgsm',
      'trainingAttack rs-fgsm',
    ]);
    expect(variants(nFgsm, { ...nFgsm, seed: 1 })).to.deep.equal(['trainingAttack n-fgsm', 'trainingAttack n-fgsm']);
    expect(variants({ steps: 1 }, { steps: 7 }, { steps: 7 })).to.deep.equal(['steps 1', '', '']);
    expect(variants({ objective: 'natural' }, {})).to.deep.equal(['', '']);
  });

  it('has the same name in every group where values are equally usual, without what follows from them', () => {
    const radii = [
      { epsilon: 0.05 },
      { epsilon: 0.1 },
      { epsilon: 0.1, sparsity: 0.95 },
      { epsilon: 0.05, sparsity: 0.95 },
    ];
    const steps = { steps: 3 };
    expect(identify(...radii.map((radius) => ({ ...steps, ...radius }))).map(({ variant }) => variant)).to.deep.equal([
      '',
      'epsilon 0.1',
      'epsilon 0.1',
      '',
    ]);
    const steeper = { epsilon: 0.1, ...steps, stepSize: 0.01, seed: 1 };
    expect(identify({ epsilon: 0.1, ...steps }, steeper).map(({ variant }) => variant !== '')).to.include(true);
  });
});

describe('a report of runs that differ in a setting without a column', () => {
  const runs = sampleRuns();
  const longer = runs
    .filter(({ config }) => config.sparsity === 0.9 && config.optimizer === 'sgd')
    .map((run) => ({
      ...run,
      name: `${run.name}-longer`,
      config: { ...run.config, epochs: 12 },
      last: { epoch: 12, datasetSha256: 'abc' },
    }));
  const data = collectReport([...runs, ...longer], 'T');

  it('averages over seeds only', () => {
    for (const { rows } of data.cells) expect(rows.length).to.be.at.most(3);
    expect(data.groups[0].series.map(({ name }) => name)).to.have.members([
      'SGD',
      'SGD, epochs 12',
      'AGENT',
      'undefended',
    ]);
  });

  it('compares AGENT with what shares its settings', () => {
    const [agent] = data.cells.filter(({ setting }) => setting.optimizer === 'agent' && setting.sparsity === 0.9);
    expect(agent.differences?.robust.n).to.equal(3);
    const targets = data.epochs.filter(({ run }) => run.run.endsWith('-longer')).map(({ target }) => target);
    expect(targets).to.have.length(3);
  });
});
