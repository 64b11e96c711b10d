import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { decode } from 'fast-png';
import { decodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { UsageError } from '../../src/core/errors.ts';
import { synthetic } from '../../src/data/sets/synthetic.ts';
import { testIndices } from '../../src/data/split.ts';
import { PAGE_SCRIPT } from '../../src/reporting/page/page-script.ts';
import { equipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

interface Summary {
  readonly right: number;
  readonly fell: number;
  readonly images: readonly {
    readonly index: number;
    readonly label: number;
    readonly before: number;
    readonly after: number;
    readonly probabilities: { readonly before: readonly number[]; readonly after: readonly number[] };
    readonly distance: number;
    readonly file: string;
  }[];
  readonly tensors: string;
  readonly page: string;
}

describe('equipoise attack', () => {
  const folder = temporaryFolder();
  const cpu = ['--backend', 'cpu'];
  const attack = (...args: readonly string[]) => equipoise(['attack', 'run', ...args, ...cpu], folder);
  const made = (...args: readonly string[]): Summary => {
    const { code, stdout, stderr } = attack(...args, '--json');
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout);
  };
  const read = (path: string) => decodeSafetensors(readFileSync(join(folder, path)));
  const test = synthetic().test;

  before(() => {
    const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '256'];
    const { code, stderr } = equipoise(['train', ...tiny, '--epochs', '3', ...cpu, '--out', 'run'], folder);
    expect(code, stderr).to.equal(0);
  });
  after(() => rmSync(folder, { recursive: true }));

  const radii = [
    { norm: 'linf', epsilon: 0.3, size: (change: readonly number[]) => Math.max(...change.map(Math.abs)) },
    { norm: 'l2', epsilon: 3, size: (change: readonly number[]) => Math.hypot(...change) },
    { norm: 'l1', epsilon: 30, size: (change: readonly number[]) => change.reduce((sum, c) => sum + Math.abs(c), 0) },
  ] as const;
  for (const { norm, epsilon, size } of radii) {
    it(`writes ${norm} examples inside the ball, in bytes that the pictures hold and the figures belong to`, () => {
      const out = `attack-${norm}`;
      const result = made('--norm', norm, '--epsilon', String(epsilon), '--count', '12', '--out', out);
      const { metadata, tensors } = read(result.tensors);
      expect(metadata).to.include({ norm, epsilon: String(epsilon), attack: 'pgd-20x2-ce', seed: '0' });
      expect(metadata.checkpointSha256).to.equal(
        createHash('sha256')
          .update(readFileSync(join(folder, 'run/checkpoints/best.safetensors')))
          .digest('hex'),
      );
      const [count, height, width, channels] = tensors.adversarial.shape;
      expect(count).to.equal(12);
      expect(result.images.map(({ index }) => index)).to.deep.equal([...testIndices(test, 12)]);
      expect(result.fell).to.be.within(1, result.right);
      const pixels = height * width * channels;
      const bytes = (name: string, place: number) =>
        (tensors[name].data as Uint8Array).subarray(place * pixels, (place + 1) * pixels);
      for (const [place, { index, label, before, after, distance, file }] of result.images.entries()) {
        const image = bytes('images', place);
        const adversarial = bytes('adversarial', place);
        expect([...image]).to.deep.equal([...test.images.subarray(index * pixels, (index + 1) * pixels)]);
        expect([...decode(readFileSync(join(folder, file))).data]).to.deep.equal([...adversarial]);
        const change = Array.from(adversarial, (byte, i) => byte - image[i]);
        expect(size(change)).to.be.at.most(epsilon * 255 * (1 + 1e-6));
        expect(distance).to.be.closeTo(size(change) / 255, 1e-6);
        const numbers = ['labels', 'predictions_before', 'predictions_after'].map((name) => tensors[name].data[place]);
        expect(numbers).to.deep.equal([label, before, after].map(BigInt));
        if (before !== label) expect(distance).to.equal(0);
      }
    });
  }

  it('writes the same bytes again for a seed, and others for another', () => {
    const random = ['--attack', 'pgd-1', '--epsilon', '0.05'];
    for (const [out, seed] of Object.entries({ first: '7', again: '7', other: '8' })) {
      expect(attack(...random, '--seed', seed, '--out', out).code).to.equal(0);
    }
    expect(contents(join(folder, 'again'))).to.deep.equal(contents(join(folder, 'first')));
    const pixels = (out: string) => read(`${out}/examples.safetensors`).tensors.adversarial.data;
    expect(pixels('other')).not.to.deep.equal(pixels('first'));
  });

  it("writes beside the run's checkpoints by default, prints a row an image, and leaves no picture of before", () => {
    const { code, stdout, stderr } = attack('--count', '5', '--quiet');
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^pgd-20x2-ce within linf .* on best/);
    expect(stdout.match(/^test-\d{5}\.png .* → /gm)).to.have.length(5);
    expect(stdout).to.match(/\d of \d images that were right fell/);
    expect(stdout).to.contain('run/attack/examples.html');
    const out = join(folder, 'run/attack');
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'mine.png'), 'mine');
    const { images } = made('--count', '2');
    const names = images.map(({ file }) => file.slice('run/attack/'.length));
    expect(Object.keys(contents(out)).sort()).to.deep.equal(
      ['examples.html', 'examples.safetensors', 'mine.png', ...names].sort(),
    );
    const page = readFileSync(join(out, 'examples.html'), 'utf8');
    expect(page.match(/src="data:image\/png;base64,/g)).to.have.length(6);
    expect(page).to.contain(`<script>${PAGE_SCRIPT}</script>`);
    expect(page.replace(PAGE_SCRIPT, '')).not.to.match(/<script(?!>)|https?:/);
  });

  it('takes only images that are right where it is asked to, as many as there are', () => {
    const { classes } = synthetic();
    const always = (value: string) =>
      `export const load = (tf) => (images) => tf.mul(tf.oneHot(tf.zeros([images.shape[0]], 'int32'), ${classes.length}), ${value});`;
    writeFileSync(join(folder, 'first.mjs'), always('1'));
    writeFileSync(join(folder, 'never.mjs'), always('NaN'));
    const labels = [...test.labels];
    const ofFirst = labels.flatMap((label, index) => (label === 0 ? [index] : []));
    const common = ['--dataset', 'synthetic', '--epsilon', '0', '--only-correct', '--json', ...cpu];
    for (const count of [3, 1000]) {
      const args = ['attack', '--module', 'first.mjs', '--count', String(count), '--out', `first${count}`, ...common];
      const { code, stdout, stderr } = equipoise(args, folder);
      expect(code, stderr).to.equal(0);
      const { images, right }: Summary = JSON.parse(stdout);
      expect(images.map(({ index }) => index)).to.deep.equal(ofFirst.slice(0, count));
      expect(right).to.equal(images.length);
    }
    const { code, stderr } = equipoise(['attack', '--module', 'never.mjs', '--out', 'never', ...common], folder);
    expect(code).to.equal(1);
    expect(stderr).to.match(/Expected test images that the model classifies right, got none of 64/);
  });

  it('gives the probabilities of all classes, whose largest is that of the prediction, on the page too', () => {
    const { images, page } = made('--count', '6', '--out', 'sure');
    for (const { before, after, probabilities } of images) {
      for (const [predicted, of] of [[before, probabilities.before] as const, [after, probabilities.after] as const]) {
        expect(of.reduce((sum, share) => sum + share, 0)).to.be.closeTo(1, 1e-5);
        expect(of[predicted]).to.equal(Math.max(...of));
      }
    }
    const text = readFileSync(join(folder, page), 'utf8');
    expect(text.match(/class="probabilities"/g)).to.have.length(6);
    const sure = images[0].probabilities.before[images[0].before];
    expect(text).to.contain(`value="${sure.toFixed(4)}"></meter><span>${(100 * sure).toFixed(1)} %</span>`);
  });

  it('changes nothing at radius 0', () => {
    const { fell, images } = made('--epsilon', '0', '--count', '3', '--out', 'zero');
    expect([fell, ...images.map(({ distance }) => distance)]).to.deep.equal([0, 0, 0, 0]);
  });

  const failures: readonly { readonly args: readonly string[]; readonly code: number; readonly says: RegExp }[] = [
    { args: ['run', '--epsilon', '8'], code: 2, says: /epsilon: expected at most 1 in linf, in pixel units/ },
    {
      args: ['run', '--out', 'run/config.json'],
      code: 1,
      says: /run\/config\.json cannot be written: .* is a file, not a folder/,
    },
  ];
  for (const { args, code, says } of failures) {
    it(`fails at ${args.join(' ')} with one message, and writes nothing`, () => {
      const before = contents(folder);
      const outcome = equipoise(['attack', ...args, ...cpu], folder);
      expect(outcome.stderr).to.match(says);
      expect([outcome.code, outcome.stdout]).to.deep.equal([code, '']);
      expect(outcome.stderr).not.to.match(/\n {4}at /);
      expect(contents(folder)).to.deep.equal(before);
    });
  }

  const silent = silentTerminal();
  const wrong: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
    { args: ['run', '--attack', 'pdg-20'], says: /There is no attack pdg-20/ },
    { args: ['run', '--attack', 'fgsm,pgd'], says: /--attack: expected one attack/ },
    { args: ['run', '--count', '0'], says: /--count takes a whole number of at least 1, got 0/ },
    { args: ['run', '--epsilon', '-0.1'], says: /--epsilon must be 0 or larger/ },
    { args: ['run', '--norm', 'L2'], says: /--norm must be one of .*, got L2\. Did you mean l2\?/ },
    { args: [join(folder, 'run'), '--norm', 'l2'], says: /needs an epsilon/ },
    { args: [join(folder, 'nowhere')], says: /There is no .*nowhere/ },
    { args: [], says: /Expected a target, got none/ },
  ];
  for (const { args, says } of wrong) {
    it(`refuses the command line, and writes nothing: attack ${args.join(' ').replace(`${folder}/`, '')}`, async () => {
      const before = contents(folder);
      const thrown = await runCommandLine(['attack', ...args], '0.0.0', silent).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.be.instanceOf(UsageError);
      expect((thrown as UsageError).message).to.match(says);
      expect(contents(folder)).to.deep.equal(before);
    });
  }

  it('is bounded from below by certify, which keeps its certificates and needs the noise', () => {
    const certify = (...args: readonly string[]) => equipoise(['certify', 'run', ...args, ...cpu], folder);
    const settings = ['--sigma', '0.05', '--n0', '10', '--n', '40', '--test-limit', '4'];
    const { code, stdout, stderr } = certify(...settings);
    expect(code, stderr).to.equal(0);
    expect(stdout)
      .to.match(/best smoothed with σ 0\.05, on synthetic/)
      .and.match(/0\.025 +\d+\.\d %/);
    expect(stdout).to.contain('4 images').and.contain('n0 10, n 40, α 0.001');
    const kept = JSON.parse(readFileSync(join(folder, 'run/certificates.json'), 'utf8')).certifications;
    expect(JSON.parse(certify(...settings, '--json').stdout)).to.deep.equal(kept[0]);
    const refused = certify();
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.contain('--sigma 0.25');
  });
});
