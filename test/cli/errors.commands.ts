import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { UsageError } from '../../src/core/errors.ts';
import { equipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

const digits = fileURLToPath(new URL('../../../data/mnist10k', import.meta.url));
const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--epochs', '1', '--train-limit', '64'];
const sparse = ['--sparsity', '0.5', '--backend', 'cpu'];

describe('the command line, given what it cannot use', () => {
  const folder = temporaryFolder();
  const run = join(folder, 'run');
  before(() => {
    const { code, stderr } = equipoise(['train', ...tiny, '--backend', 'cpu', '--out', run]);
    expect(code, stderr).to.equal(0);
    expect(stderr).not.to.contain('Hi, looks like');
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'model.mjs'), 'export const classifier = (images) => images;');
    for (const below of ['photos', 'split-photos/train', 'split-photos/test']) {
      for (const name of ['cat', 'dog']) {
        mkdirSync(join(folder, below, name), { recursive: true });
        writeFileSync(join(folder, below, name, '1.png'), '');
      }
    }
    // Digits whose first file ends in the middle of an image.
    const truncated = join(folder, 'truncated');
    mkdirSync(truncated);
    for (const name of ['train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']) {
      copyFileSync(join(digits, `${name}.gz`), join(truncated, `${name}.gz`));
    }
    const images = gunzipSync(readFileSync(join(digits, 'train-images-idx3-ubyte.gz')));
    writeFileSync(join(truncated, 'train-images-idx3-ubyte'), images.subarray(0, 100_000));
    // A run whose checkpoints are those of another model.
    cpSync(run, join(folder, 'mixed'), { recursive: true });
    const other = join(folder, 'other');
    expect(equipoise(['train', ...tiny, ...sparse, '--out', other]).code).to.equal(0);
    for (const name of ['last', 'best']) {
      for (const file of [`${name}.safetensors`, `${name}.safetensors.previous`]) {
        rmSync(join(folder, 'mixed/checkpoints', file), { force: true });
      }
      cpSync(join(other, `checkpoints/${name}.safetensors`), join(folder, `mixed/checkpoints/${name}.safetensors`));
    }
    // A run whose checkpoints, previous ones included, each have a flipped byte.
    cpSync(run, join(folder, 'damaged'), { recursive: true });
    for (const name of Object.keys(contents(join(folder, 'damaged/checkpoints')))) {
      const path = join(folder, 'damaged/checkpoints', name);
      const bytes = readFileSync(path);
      bytes[bytes.length - 5] ^= 1;
      writeFileSync(path, bytes);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  const cases: readonly {
    readonly title: string;
    readonly args: readonly string[];
    readonly code: 1 | 2;
    readonly says: readonly RegExp[];
  }[] = [
    {
      title: 'missing data',
      args: ['train', '--dataset', 'cifar10', '--data', 'empty', '--out', 'new'],
      code: 1,
      says: [/cifar10/, /equipoise data fetch cifar10/, /equipoise data add/],
    },
    {
      title: 'a truncated file',
      args: ['train', '--dataset', 'mnist', '--data', 'truncated', '--out', 'new'],
      code: 1,
      says: [/train-images-idx3-ubyte/, /byte/],
    },
    {
      title: 'a truncated file to add',
      args: ['data', 'add', 'truncated', '--name', 'mnist', '--data', 'empty'],
      code: 1,
      says: [/train-images-idx3-ubyte/, /byte/],
    },
    {
      title: 'bad pictures of its own, all at once',
      args: ['data', 'info', 'folder', '--data', 'photos'],
      code: 1,
      says: [/photos has 4 problems:/, /cat\/1\.png is empty/, /dog\/1\.png is empty/, /dog holds one image/],
    },
    {
      title: 'images of another shape than the model takes',
      args: ['evaluate', 'run', '--dataset', 'mnist10k', '--backend', 'cpu'],
      code: 1,
      says: [/takes images \[8, 8, 1\]/, /mnist10k has images \[28, 28, 1\]/],
    },
    {
      title: 'pictures of its own where no data set is named',
      args: ['train', '--data', 'photos', '--out', 'new'],
      code: 2,
      says: [
        /photos holds pictures in folders of classes \(cat, dog\), and the data set would be mnist10k/,
        /--dataset folder/,
      ],
    },
    {
      title: 'pictures in train/ and test/ for a sweep that names no data set',
      args: ['sweep', '--data', 'split-photos', '--out', 'new'],
      code: 2,
      says: [/--dataset folder/],
    },
    {
      title: 'pictures of its own to evaluate a run on that was trained on others',
      args: ['evaluate', 'run', '--data', 'photos', '--backend', 'cpu'],
      code: 2,
      says: [/the data set would be synthetic/, /--dataset folder/],
    },
    {
      title: 'a file for the folder of a run',
      args: ['train', ...tiny, '--out', 'model.mjs'],
      code: 2,
      says: [/model\.mjs is a file; --out names a folder/],
    },
    {
      title: 'a device for the folder of a sweep',
      args: ['sweep', ...tiny, '--out', '/dev/null'],
      code: 2,
      says: [/\/dev\/null is a device; --out names a folder/],
    },
    {
      title: 'a file for the folder of a sweep',
      args: ['sweep', ...tiny, '--out', 'model.mjs'],
      code: 2,
      says: [/model\.mjs is a file; --out names a folder/],
    },
    {
      title: 'a file for a run to resume',
      args: ['train', '--resume', 'model.mjs'],
      code: 1,
      says: [/model\.mjs is a file, or is below a file/],
    },
    {
      title: 'a module that is not there',
      args: ['evaluate', '--module', 'nowhere.mjs', '--dataset', 'synthetic', '--backend', 'cpu'],
      code: 2,
      says: [/--module names an ES module; there is no nowhere\.mjs/],
    },
    {
      title: 'a model from elsewhere without the images for it',
      args: ['evaluate', '--module', 'model.mjs', '--backend', 'cpu'],
      code: 2,
      says: [/Name a data set to test on, with --dataset/],
    },
    {
      title: 'no thread',
      args: ['train', ...tiny, '--threads', '0', '--out', 'new'],
      code: 2,
      says: [/--threads takes a whole number from 1 to 64, got 0/],
    },
    {
      title: 'a network that does not exist',
      args: ['train', '--dataset', 'synthetic', '--model', 'resnet20', '--out', 'new'],
      code: 2,
      says: [/--model must name a network, got resnet20\. Did you mean resnet50\?/],
    },
    {
      title: 'a checkpoint of another model',
      args: ['train', '--resume', 'mixed'],
      code: 2,
      says: [/checkpoint of another configuration/],
    },
    {
      title: 'a damaged checkpoint to evaluate',
      args: ['evaluate', 'damaged', '--backend', 'cpu'],
      code: 1,
      says: [/damaged/],
    },
    {
      title: 'a damaged checkpoint to resume',
      args: ['train', '--resume', 'damaged'],
      code: 1,
      says: [/damaged/],
    },
    {
      title: 'a target that is not there',
      args: ['evaluate', 'nowhere'],
      code: 2,
      says: [/nowhere/],
    },
    {
      title: 'a run to resume that is not there',
      args: ['train', '--resume', 'nowhere'],
      code: 2,
      says: [/nowhere has no config\.json/],
    },
    {
      title: 'a folder that holds a run already',
      args: ['train', ...tiny, '--backend', 'cpu', '--out', 'run'],
      code: 2,
      says: [/holds a run already/, /--resume/],
    },
    {
      title: 'an epsilon below 0',
      args: ['train', '--epsilon', '-8/255', '--out', 'new'],
      code: 2,
      says: [/epsilon must be above 0/],
    },
    {
      title: 'an epsilon below 0 to evaluate with',
      args: ['evaluate', 'run', '--epsilon', '-0.1', '--backend', 'cpu'],
      code: 2,
      says: [/epsilon/, /-0\.1/],
    },
    {
      title: 'a sparsity of 1',
      args: ['train', '--sparsity', '1.0', '--out', 'new'],
      code: 2,
      says: [/sparsity must be below 1/],
    },
    {
      title: 'an unknown backend',
      args: ['train', '--backend', 'cuda', '--out', 'new'],
      code: 2,
      says: [/backend must be one of auto, engine, tensorflow, webgpu, cpu, got cuda/],
    },
    {
      title: 'an unknown backend to evaluate with',
      args: ['evaluate', 'run', '--backend', 'cuda'],
      code: 2,
      says: [/There is no backend cuda/],
    },
    {
      title: 'a backend that is not installed',
      args: ['train', '--backend', 'tensorflow', '--out', 'new'],
      code: 1,
      says: [/not installed/, /npm install/],
    },
  ];
  for (const { title, args, code, says } of cases) {
    it(`answers ${title} with exit code ${code} and one message, and writes nothing`, () => {
      const before = contents(folder);
      const outcome = equipoise(args, folder);
      for (const expression of says) expect(outcome.stderr).to.match(expression);
      expect([outcome.code, outcome.stdout]).to.deep.equal([code, '']);
      expect(outcome.stderr).not.to.match(/\n {4}at |fault in Equipoise|^run \S+$/m);
      expect(contents(folder)).to.deep.equal(before);
    });
  }

  it('uses the previous checkpoint where the last is damaged, and says so', () => {
    const half = join(folder, 'half');
    cpSync(join(folder, 'run'), half, { recursive: true });
    const last = join(half, 'checkpoints/last.safetensors');
    copyFileSync(last, `${last}.previous`);
    const bytes = readFileSync(last);
    bytes[bytes.length - 5] ^= 1;
    writeFileSync(last, bytes);
    const { code, stderr } = equipoise(['evaluate', last, '--attacks', 'fgsm', '--backend', 'cpu']);
    expect([code, /previous/.test(stderr)], stderr).to.deep.equal([0, true]);
    rmSync(half, { recursive: true });
  });
});

describe('a wrong command line', () => {
  const silent = silentTerminal();
  const cases: readonly {
    readonly title: string;
    readonly args: readonly string[];
    readonly says: readonly RegExp[];
  }[] = [
    {
      title: 'no target',
      args: ['evaluate'],
      says: [/Expected a target, got none\. Give a run's folder, a checkpoint or another model/],
    },
    {
      title: 'two targets',
      args: ['attack', 'run', '--module', 'mine.mjs'],
      says: [/Both run and --module mine\.mjs name a model/],
    },
    {
      title: 'an expected accuracy in per cent',
      args: ['evaluate', 'run', '--expect-clean', '85.2'],
      says: [/did you mean 0\.852\?/i],
    },
    {
      title: 'an unknown order of axes',
      args: ['evaluate', 'model', '--layout', 'hwc'],
      says: [/--layout must be one of nhwc, nchw, got hwc\. Did you mean nhwc\?/],
    },
    {
      title: 'deviations of 0',
      args: ['evaluate', 'model', '--std', '0,1,1'],
      says: [/--std takes numbers above 0, got 0,1,1/],
    },
    {
      title: 'one bound of pixels',
      args: ['evaluate', 'model', '--bounds', '255'],
      says: [/--bounds takes the lowest and the highest pixel, such as 0,255 or -1,1, got 255/],
    },
    {
      title: 'settings beside a run to resume',
      args: ['train', '--resume', 'run', '--lr', '1'],
      says: [/keeps its configuration.*got --lr/],
    },
    {
      title: 'an epsilon in grey levels, and nothing else',
      args: ['train', '--epsilon', '8', '--out', 'new'],
      says: [/^--epsilon: expected at most 1 in linf.* got 8\. Did you mean 8\/255\?$/],
    },
    {
      title: 'a sparsity in per cent',
      args: ['train', '--sparsity', '95', '--out', 'new'],
      says: [/did you mean 0\.95\?/i],
    },
    {
      title: 'a model that does not exist',
      args: ['train', '--model', 'vgg61', '--out', 'new'],
      says: [/vgg61/, /vgg16/],
    },
    {
      title: 'an AGENT setting with plain SGD',
      args: ['train', '--optimizer', 'sgd', '--agent-gamma', '0.2', '--out', 'new'],
      says: [/^--agent-gamma 0\.2 applies only to the optimizer agent, got --optimizer sgd\. Leave --agent-gamma out/m],
    },
    {
      title: 'a flag given twice',
      args: ['train', '--seed', '1', '--seed', '2', '--out', 'new'],
      says: [/--seed takes one value, got 1,2\. One run has one seed; equipoise sweep trains a run for each/],
    },
    {
      title: 'a flag without its value',
      args: ['train', '--epsilon'],
      says: [/--epsilon needs a value, got none/],
    },
    {
      title: 'an expression that is no arithmetic',
      args: ['train', '--lr', 'sqrt(2)', '--out', 'new'],
      says: [/--lr must be a number or arithmetic such as 8\/255, got sqrt\(2\)/],
    },
    {
      title: 'an attack that does not exist',
      args: ['evaluate', 'run', '--attacks', 'pdg-20'],
      says: [/There is no attack pdg-20/],
    },
    {
      title: 'radii of several norms beside a norm',
      args: ['evaluate', 'run', '--norms', 'linf=8/255,l2=0.5', '--norm', 'l2'],
      says: [/--norms says norms and radii, so --norm must be left out/],
    },
    {
      title: 'a checkpoint that no run keeps',
      args: ['evaluate', 'run', '--checkpoints', 'lats'],
      says: [
        /--checkpoints: expected names among best, last, ema, separated by commas, got lats\. Did you mean last\?/,
      ],
    },
    {
      title: 'a radius for the evaluation of a sweep in no norm, before it trains',
      args: ['sweep', '--dataset', 'synthetic', '--evaluation-norms', 'l3=1', '--out', 'new'],
      says: [/--evaluation-norms must be one of linf, l2, l1, got l3/],
    },
    {
      title: 'an attack without its dash',
      args: ['evaluate', 'run', '--attacks', 'fgsm,pgd20'],
      says: [/There is no attack pgd20\. Did you mean pgd-20\?/],
    },
    {
      title: 'an attack with a slip',
      args: ['attack', 'run', '--attack', 'autoatack'],
      says: [/Did you mean autoattack\?/],
    },
    {
      title: 'an attack by its name in the library',
      args: ['evaluate', 'run', '--attacks', 'fabt-50'],
      says: [/Did you mean fab-t-50\?/],
    },
    {
      title: 'a protocol with a slip',
      args: ['evaluate', 'run', '--protocol', 'autoatack'],
      says: [/Did you mean autoattack\?/],
    },
    {
      title: 'several values where one run has one',
      args: ['train', '--sparsity', '0.9,0.95', '--out', 'new'],
      says: [/--sparsity takes one value, got 0\.9,0\.95\. .*equipoise sweep/],
    },
    {
      title: 'several words where one run has one',
      args: ['train', '--optimizer', 'sgd,agent', '--out', 'new'],
      says: [/--optimizer takes one value, got sgd,agent\. .*equipoise sweep/],
    },
    {
      title: 'a network that does not exist, before anything is read',
      args: ['train', '--model', 'resnet19', '--print-config'],
      says: [/--model must name a network, got resnet19\. Did you mean resnet18\?/],
    },
    {
      title: 'a network of a sweep that does not exist',
      args: ['sweep', '--model', 'mlp,resnet19', '--out', 'new'],
      says: [/--model must name a network, got resnet19\./],
    },
    {
      title: 'a command with two letters swapped',
      args: ['trian', '--out', 'new'],
      says: [/no command trian\. Did you mean train\?/],
    },
    {
      title: 'a flag with two letters swapped',
      args: ['train', '--modle', 'mlp'],
      says: [/no flag --modle\. Did you mean --model\?/],
    },
    ...['constructor', 'toString', 'valueOf', 'hasOwnProperty'].map((name) => ({
      title: `a flag with the name of a property that every object has: ${name}`,
      args: ['train', `--${name}`, '5', '--out', 'new'],
      says: [new RegExp(`no flag --${name}`)],
    })),
    {
      title: 'a very long value, of which it repeats the beginning',
      args: ['train', '--method', 'x'.repeat(100_000)],
      says: [/^.{0,400}got x{1,80}… \(100000 characters\)/],
    },
    {
      title: 'a choice of a sweep with a slip',
      args: ['sweep', '--optimizer', 'sgd,adam', '--out', 'new'],
      says: [/--optimizer must be one of sgd, agent.*, got adam/],
    },
    {
      title: 'a sweep over values that are no numbers',
      args: ['sweep', '--sparsity', '0.9', '--method', 'rigle,set', '--out', 'new'],
      says: [/--method must be one of .*, got rigle\. Did you mean rigl\?/],
    },
    {
      title: 'the beginning of a data set',
      args: ['train', '--dataset', 'cifar', '--out', 'new'],
      says: [/--dataset must be one of .*, got cifar\. Did you mean cifar10\?/],
    },
    {
      title: 'too many threads',
      args: ['evaluate', 'run', '--threads', '128'],
      says: [/--threads takes a whole number from 1 to 64, got 128/],
    },
    {
      title: 'a configuration file that is not there',
      args: ['train', '--config', 'nowhere.yaml', '--out', 'new'],
      says: [/nowhere\.yaml cannot be read/],
    },
    {
      title: 'an unknown data set',
      args: ['data', 'fetch', 'cifar11', '--data', 'empty'],
      says: [/no data set cifar11/],
    },
    { title: 'an unknown action on data', args: ['data', 'ad'], says: [/Did you mean add\?/] },
  ];
  for (const { title, args, says } of cases) {
    it(`is refused: ${title}`, async () => {
      const thrown = await runCommandLine(args, '0.0.0', silent).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.be.instanceOf(UsageError);
      for (const expression of says) expect((thrown as UsageError).message).to.match(expression);
    });
  }
});
