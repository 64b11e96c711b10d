import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { UsageError } from '../../src/core/errors.ts';
import { equipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

describe('equipoise export and import', () => {
  const folder = temporaryFolder();
  const cpu = ['--backend', 'cpu'];
  before(() => {
    const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64'];
    const sparse = ['--method', 'static', '--sparsity', '0.9', '--epochs', '1', '--steps', '1'];
    const { code, stderr } = equipoise(['train', ...tiny, ...sparse, ...cpu, '--out', 'run'], folder);
    expect(code, stderr).to.equal(0);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("writes the best checkpoint in each format into the run's folder, and says how well it agrees", () => {
    const files = {
      compact: ['best-compact.safetensors'],
      pytorch: ['best-pytorch.safetensors', 'model.py'],
      layers: ['best-layers/weights.bin', 'best-layers/model.json'],
      onnx: ['best.onnx'],
    };
    for (const [to, names] of Object.entries(files)) {
      const { code, stdout, stderr } = equipoise(['export', 'run', '--to', to, ...cpu, '--quiet'], folder);
      expect([code, stderr]).to.deep.equal([0, '']);
      const lines = stdout.trim().split('\n');
      expect(lines.slice(0, -1)).to.deep.equal(names.map((name) => `run/export/${name}`));
      expect(lines.at(-1)).to.match(
        to === 'layers' || to === 'onnx'
          ? /^[\d.]+ kB; its logits on 16 images (equal|differ from) those of the checkpoint/
          : /^[\d.]+ kB; its logits on 16 images equal those of the checkpoint$/,
      );
    }
  });

  it('writes into a folder that exists, under the usual name', () => {
    mkdirSync(join(folder, 'for-others'));
    const { code, stdout } = equipoise(['export', 'run', '--to', 'onnx', '--out', 'for-others', ...cpu], folder);
    expect([code, stdout.split('\n')[0]]).to.deep.equal([0, 'for-others/best.onnx']);
  });

  it('makes a checkpoint again that evaluate takes', () => {
    const { code, stdout } = equipoise(['import', 'run/export/best-layers', '--out', 'back.safetensors'], folder);
    expect(code).to.equal(0);
    expect(stdout).to.match(
      /^back\.safetensors\n[\d.]+ kB; mlp, width 0\.1, images \d+×\d+×\d+, \d+ classes, 90(\.\d+)? % sparse\nnext: equipoise evaluate back\.safetensors\n$/,
    );
    expect(
      readFileSync(join(folder, 'back.safetensors')).equals(
        readFileSync(join(folder, 'run/export/best-compact.safetensors')),
      ),
    ).to.equal(true);
    const attacked = (path: string) => equipoise(['evaluate', path, '--attacks', 'fgsm', ...cpu], folder).stdout;
    const table = attacked('back.safetensors');
    expect(table).to.match(/90(\.\d+)? % sparse, [\d,]+ weights, on synthetic/);
    const rows = (text: string) =>
      text
        .split('\n')
        .filter((line) => / %/.test(line))
        .slice(1);
    expect(rows(attacked('run/export/best-pytorch.safetensors'))).to.deep.equal(rows(table));
    const json = JSON.parse(
      equipoise(['import', 'run/export/best-pytorch.safetensors', '--out', 'json.safetensors', '--json'], folder)
        .stdout,
    );
    expect(json).to.deep.include({ file: 'json.safetensors', sparsity: json.sparsity });
    expect(json.model).to.include({ name: 'mlp', width: 0.1 });
  });

  it('tells which network the weights of PyTorch are of, also behind a prefix', () => {
    const weights = fileURLToPath(new URL('../../../test/evaluation/foreign/resnet18.safetensors', import.meta.url));
    const { code, stdout } = equipoise(['import', weights, '--out', 'foreign.safetensors'], folder);
    expect(code).to.equal(0);
    expect(stdout).to.contain('resnet18, width 0.0625, images 32×32×3, 10 classes, dense');
    const { tensors } = decodeSafetensors(readFileSync(weights), weights);
    const prefixed = Object.entries(tensors).map(([name, tensor]) => [`module.${name}`, tensor] as const);
    writeFileSync(join(folder, 'parallel.safetensors'), encodeSafetensors(Object.fromEntries(prefixed), {}));
    expect(equipoise(['import', 'parallel.safetensors', '--out', 'again.safetensors'], folder).code).to.equal(0);
    const bytes = (name: string) => readFileSync(join(folder, name));
    expect(bytes('again.safetensors').equals(bytes('foreign.safetensors'))).to.equal(true);
  });

  const failures: readonly { readonly args: readonly string[]; readonly code: 1 | 2; readonly says: RegExp }[] = [
    { args: ['export', 'nowhere', '--to', 'compact'], code: 2, says: /There is no nowhere/ },
    {
      args: ['export', 'run', '--to', 'onnx', '--out', 'net'],
      code: 2,
      says: /whose name ends in \.onnx, got net\. Write --out net\/best\.onnx or --out net\.onnx\./,
    },
    {
      args: ['import', 'run/config.json', '--out', 'x'],
      code: 1,
      says: /is not the model\.json of a TensorFlow\.js model/,
    },
  ];
  for (const { args, code, says } of failures) {
    it(`fails at ${args.join(' ')} with one message, and writes nothing`, () => {
      const before = contents(folder);
      const outcome = equipoise(args, folder);
      expect([outcome.code, outcome.stdout]).to.deep.equal([code, '']);
      expect(outcome.stderr).to.match(says);
      expect(outcome.stderr).not.to.match(/\n {4}at /);
      expect(contents(folder)).to.deep.equal(before);
    });
  }

  const silent = silentTerminal();
  const wrong: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
    { args: ['export', 'run'], says: /Expected --to as one of compact, pytorch, layers, onnx, got nothing/ },
    { args: ['export', 'run', '--to', 'tflite'], says: /Expected --to as one of .*, got tflite/ },
    { args: ['import', 'x', '--width', '2'], says: /--width describes a network/ },
    { args: ['import', 'x', '--model', 'cnn', '--images', '32,32'], says: /--images takes height, width and/ },
  ];
  for (const { args, says } of wrong) {
    it(`refuses the command line: ${args.join(' ')}`, async () => {
      const thrown = await runCommandLine(args, '0.0.0', silent).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.be.instanceOf(UsageError);
      expect((thrown as UsageError).message).to.match(says);
    });
  }
});
