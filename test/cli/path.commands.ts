import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parseResults } from '../../src/reporting/tables/results.ts';
import { equipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';

const page = fileURLToPath(new URL('../../../docs/command-line.md', import.meta.url));

describe('from training to a report', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  it('works as the first example of the command line page says', () => {
    const example = /^```sh\n(.*?)^```$/ms.exec(readFileSync(page, 'utf8'))?.[1] ?? '';
    const commands = example.trim().split('\n');
    expect(commands).to.have.length(3);
    const outcomes = commands.map((line) => {
      const [name, ...args] = line.split(' ');
      expect(name).to.equal('equipoise');
      const outcome = equipoise(args, folder);
      expect(outcome.code, `${line}\n${outcome.stderr}`).to.equal(0);
      return outcome;
    });
    expect(outcomes[0].stdout).to.match(/^trained 3 epochs, 24 steps\nlast: .* robust on held-out images\n/);
    expect(outcomes[1].stdout)
      .to.match(/^attack +linf 0\.05 +linf 0\.1$/m)
      .and.to.contain('are of 64 images.');
    // One matrix a checkpoint, or one for both of equal weights.
    const matrices = outcomes[1].stdout.match(/^attack /gm)?.length;
    expect(matrices).to.be.within(1, 2);
    for (const attack of ['none', 'fgsm', 'pgd-20-ce', 'union']) {
      const row = new RegExp(`^${attack}( +\\S+ % \\[\\S+, \\S+\\]){2}$`, 'gm');
      expect(outcomes[1].stdout.match(row), attack).to.have.length(matrices ?? 0);
    }
    expect(outcomes[1].stdout).to.contain('upper bound on robust accuracy');
    expect(outcomes[2].stdout).to.contain('runs/first/report.html');
    for (const name of ['results.csv', 'summary.csv', 'epochs-to-accuracy.csv', 'report.html', 'evaluation.json']) {
      expect(existsSync(join(folder, 'runs/first', name)), name).to.equal(true);
    }
  });

  it('gives the same figures as JSON, on the screen and in results.csv', async () => {
    const { stdout } = equipoise(['evaluate', 'runs/first', '--attacks', 'fgsm', '--json', '--quiet'], folder);
    const evaluations: { clean: { value: number }; attacks: { robust: { value: number; n: number } }[] }[] =
      JSON.parse(stdout);
    expect(equipoise(['report', 'runs/first', '--no-gallery', '--quiet'], folder).code).to.equal(0);
    const rows = await parseResults(readFileSync(join(folder, 'runs/first/results.csv'), 'utf8'));
    const best = rows.find(
      ({ checkpoint, attack, epsilon }) => checkpoint === 'best' && attack === 'fgsm' && epsilon === 0.1,
    );
    expect(best).to.include({
      run: 'first',
      dataset: 'synthetic',
      clean_accuracy: evaluations[0].clean.value,
      robust_accuracy: evaluations[0].attacks[0].robust.value,
      n: evaluations[0].attacks[0].robust.n,
    });
  });

  it('sweeps a grid from a file, makes a run once, and adds only what a larger grid lacks', () => {
    writeFileSync(
      join(folder, 'sweep.yaml'),
      'dataset: synthetic\nmodel: mlp\nwidth: 1/10\nepochs: 1\ntrainLimit: 64\nsparsity: [0, 0.8, 0.9]\nseeds: 0\n',
    );
    const command = ['sweep', '--config', 'sweep.yaml', '--attacks', 'fgsm', '--backend', 'cpu', '--json'];
    const first = equipoise(command, folder);
    expect(first.code, first.stderr).to.equal(0);
    const made: { before: string[]; done: string[]; left: string[] } = JSON.parse(first.stdout);
    expect([made.before, made.left]).to.deep.equal([[], []]);
    expect(made.done).to.have.length(3);
    expect(made.done[2]).to.match(/^at-rigl-0\.9-sgd-seed0-/);
    // Two of the runs are too short for their masks to change, which is said once.
    expect(first.stderr.match(/warning: The masks never change/g)).to.have.length(1);
    const runs = contents(join(folder, 'runs/sweep', made.done[0]));

    const second = equipoise([...command, '--optimizer', 'sgd,agent', '--sparsity', '0.9', '--jobs', '2'], folder);
    expect(second.code, second.stderr).to.equal(0);
    const added: typeof made = JSON.parse(second.stdout);
    expect(added.before).to.deep.equal([made.done[2]]);
    expect(added.done).to.have.length(1);
    expect(contents(join(folder, 'runs/sweep', made.done[0]))).to.deep.equal(runs);
  });

  it('says what of a sweep is wrong before anything runs', () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--sparsity', '0,1'], /sparsity must be below 1/],
      [['--seeds', '4..0'], /--seeds: a range must ascend/],
      [['--shard', '3/2'], /A shard must be i\/n/],
      [['--seed', '1'], /has no flag --seed. Did you mean --seeds\?/],
    ];
    const before = contents(folder);
    for (const [args, message] of cases) {
      const { code, stderr } = equipoise(['sweep', '--dataset', 'synthetic', ...args, '--out', 'wrong'], folder);
      expect([code, message.test(stderr)], stderr).to.deep.equal([2, true]);
    }
    expect(contents(folder)).to.deep.equal(before);
  });
});
