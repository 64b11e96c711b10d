import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { synthetic } from '../../src/data/sets/synthetic.ts';
import type { Evaluation } from '../../src/evaluation/types.ts';
import { equipoise } from './equipoise.ts';
import { temporaryFolder } from './folder.ts';

/** A classifier that has learnt the mean of each class's pixels, given in 0 … 255. */
function nearestMean(): string {
  const { train, imageShape, classes } = synthetic();
  const size = imageShape[0] * imageShape[1] * imageShape[2];
  const means = classes.map((_, label) => {
    const of = [...train.labels.keys()].filter((i) => train.labels[i] === label);
    return Array.from(
      { length: size },
      (_, p) => of.reduce((sum, i) => sum + train.images[i * size + p], 0) / of.length,
    );
  });
  return `
const means = ${JSON.stringify(means)};
export const load = (tf) => {
  const kernel = tf.transpose(tf.tensor2d(means));
  const offset = tf.mul(tf.sum(tf.square(kernel), 0), 0.5);
  return (images) => tf.div(tf.sub(tf.matMul(tf.reshape(images, [images.shape[0], -1]), kernel), offset), 1000);
};`;
}

describe('a model from elsewhere, on the command line', () => {
  const folder = temporaryFolder();
  const run = (...args: readonly string[]) => equipoise([...args, '--backend', 'cpu'], folder);
  const data = ['--dataset', 'synthetic', '--epsilon', '0.05'];
  before(() => writeFileSync(join(folder, 'mine.mjs'), nearestMean()));
  after(() => rmSync(folder, { recursive: true }));

  it('is evaluated in several norms at once, and the table says so', () => {
    const own = ['--module', 'mine.mjs', '--dataset', 'synthetic', '--bounds', '0,255', '--test-limit', '20'];
    const { code, stdout, stderr } = run(
      ...['evaluate', ...own, '--attacks', 'pgd-2', '--norms', 'linf=1/25,l2=0.5,l1=3', '--out', 'several.json'],
    );
    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/^attack .*l1 3 .*l2 0\.5 .*linf 0\.04 .*all norms$/m);
    const [{ attacks, acrossNorms }] = JSON.parse(readFileSync(join(folder, 'several.json'), 'utf8'))
      .evaluations as Evaluation[];
    expect(attacks.map(({ attack, norm }) => `${attack} ${norm}`)).to.have.length(6);
    expect(acrossNorms?.[0].threats).to.deep.equal([
      { norm: 'linf', epsilon: 0.04 },
      { norm: 'l2', epsilon: 0.5 },
      { norm: 'l1', epsilon: 3 },
    ]);
  });

  it('is held to its clean accuracy, and evaluated with the flags that are suggested', () => {
    const args = ['evaluate', '--module', 'mine.mjs', ...data, '--test-limit', '40', '--expect-clean', '0.99'];
    const wrong = run(...args);
    expect([wrong.code, wrong.stdout]).to.deep.equal([1, '']);
    expect(wrong.stderr).to.match(/mine\.mjs was run.*\n.*No attack was run\..*--bounds=0,255/);
    const { code, stdout, stderr } = run(
      ...args,
      ...['--bounds', '0,255', '--attacks', 'fgsm,pgd-3', '--out', 'found.json', '--save-examples', 'examples'],
    );
    expect(code, stderr).to.equal(0);
    expect(stdout)
      .to.contain('mine.mjs, module, --bounds=0,255, on synthetic')
      .and.match(/^attack +linf 0\.05$/m)
      .and.match(/^pgd-3-ce +\d/m);
    const [{ target, clean, attacks }] = JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8'))
      .evaluations as Evaluation[];
    expect(target).to.deep.include({ format: 'module', preprocessing: { bounds: [0, 255] }, sparsity: null });
    expect(clean.value).to.equal(1);
    expect(attacks).to.have.length(3);
    expect(readFileSync(join(folder, 'examples/mine.mjs-fgsm-linf-0.05.safetensors')).length).to.be.above(40 * 4);
    const again = run(
      ...args,
      '--bounds',
      '0,255',
      '--attacks',
      'fgsm,pgd-3',
      '--out',
      'found.json',
      '--resume',
      '--json',
    );
    expect(JSON.parse(again.stdout)[0].attacks).to.deep.equal(attacks);
  });

  it('is attacked, and its examples written', () => {
    const { code, stdout, stderr } = run(
      ...['attack', '--module', 'mine.mjs', ...data, '--bounds', '0,255', '--count', '4', '--out', 'made', '--json'],
    );
    expect(code, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ right: 4, norm: 'linf', epsilon: 0.05 });
  });

  it('that answers at random has its answers averaged by every attack: of names, of the protocol and of examples', () => {
    const noise = nearestMean().replace(
      'tf.reshape(images',
      'tf.reshape(tf.add(images, tf.randomNormal(images.shape, 0, 9))',
    );
    writeFileSync(join(folder, 'random.mjs'), noise);
    const random = ['--module', 'random.mjs', ...data, '--bounds', '0,255', '--eot', '4'];
    const limits = ['--test-limit', '12', '--out', 'random.json'];
    const named = run('evaluate', ...random, ...limits, '--attacks', 'fgsm,square-5-eot2');
    expect(named.code, named.stderr).to.equal(0);
    expect(named.stdout)
      .to.match(/^fgsm-eot4 +\d/m)
      .and.match(/^square-5-eot2 +\d/m)
      .and.match(
        /^For each answer attacks averaged 4 or 2 calls of the model; a prediction that counts is one call\.$/m,
      )
      .and.not.contain('randomised output');
    const [{ attacks }] = JSON.parse(readFileSync(join(folder, 'random.json'), 'utf8')).evaluations as Evaluation[];
    expect(attacks.map(({ attack, eot }) => [attack, eot])).to.deep.equal([
      ['fgsm-eot4', 4],
      ['square-5-eot2', 2],
      ['union', undefined],
    ]);
    const made = run('attack', ...random, '--count', '2', '--out', 'made-random', '--json');
    expect(JSON.parse(made.stdout).attack).to.equal('pgd-20x2-ce-eot4');
    const wrong = run('evaluate', '--module', 'random.mjs', ...data, '--eot', '0');
    expect(wrong.code).to.equal(2);
    expect(wrong.stderr).to.contain('--eot: expected a whole number of at least 1, such as 20, got 0.');
  });

  it('is evaluated on the saved examples of another, and attacked by those of a surrogate, which is called a transfer figure', () => {
    // The examples that the first test saved, but for pixels in [0, 1] as this model takes them.
    writeFileSync(
      join(folder, 'other.mjs'),
      nearestMean().replaceAll('images', 'pixels').replace('(pixels)', '(images, pixels = tf.mul(images, 255))'),
    );
    const other = ['--module', 'other.mjs', '--dataset', 'synthetic'];
    const found = run('evaluate', ...other, '--examples', 'examples', '--out', 'transfer.json');
    expect(found.code, found.stderr).to.equal(0);
    expect(found.stdout)
      .to.match(/^made on +attack +within +images +clean \[95 %\] +examples \[95 %\]$/m)
      .and.match(/^mine\.mjs +fgsm +linf 0\.05 +40 +100\.0 % \[\d.*\] +\d/m)
      .and.match(/^ +union +linf 0\.05 +40/m)
      .and.contain('transfer figure: an upper bound on robust accuracy');
    const own = run(
      ...['evaluate', '--module', 'mine.mjs', '--dataset', 'synthetic', '--bounds', '0,255'],
      ...['--examples', 'examples', '--out', 'own.json', '--quiet'],
    );
    expect(own.code, own.stderr).to.equal(0);
    expect(own.stderr).to.contain('were made on this very network, so nothing is transferred.');
    const refused = run('evaluate', ...other, '--examples', 'examples', '--attacks', 'fgsm');
    expect([refused.code, refused.stdout]).to.deep.equal([2, '']);
    expect(refused.stderr).to.contain('--attacks does not apply to --examples: the saved examples are evaluated');
    const made = run(
      'attack',
      ...other,
      '--epsilon',
      '0.05',
      '--surrogate',
      'other.mjs',
      '--count',
      '2',
      '--out',
      'made-on',
    );
    // A module is run only by --module.
    expect(made.code).to.not.equal(0);
  });

  it('whose module never becomes ready ends the command with a message', () => {
    writeFileSync(join(folder, 'never.mjs'), 'export const load = () => new Promise(() => {});');
    const { code, stderr } = run('evaluate', '--module', 'never.mjs', ...data);
    expect(code).to.equal(1);
    expect(stderr).to.contain('waits for a promise that nothing is left to settle').and.contain('--module');
  });

  it('is refused as a pickle of PyTorch, with the way out', () => {
    mkdirSync(join(folder, 'torch'));
    writeFileSync(join(folder, 'torch/net.pt'), 'PK\u0003\u0004');
    const { code, stderr } = run('evaluate', 'torch/net.pt', ...data);
    expect(code).to.equal(1);
    expect(stderr).to.contain('save_file(tensors, "net.safetensors")');
  });
});
