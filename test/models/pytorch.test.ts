import { expect } from 'chai';
import { seedKey, uniform } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { buildModel, type ModelName, models } from '../../src/models/models.ts';
import { fromPytorch, pytorchTensors, toPytorch } from '../../src/models/pytorch.ts';
import { parametersOf, statisticsOf } from '../../src/models/inspect.ts';

const options = { inputShape: [32, 32, 3], classes: 10, width: 1 / 16 } as const;
const tensorsOf = (model: string) => pytorchTensors(buildModel(model, options));
const keysOf = (model: string) => tensorsOf(model).map(({ key }) => key);

describe('the PyTorch names and layouts of a network', () => {
  for (const name of Object.keys(models) as ModelName[]) {
    it(`of ${name} cover every tensor once, and read back what they wrote`, () => {
      const program = buildModel(name, options);
      const tensors = pytorchTensors(program);
      const declared = [...parametersOf(program), ...statisticsOf(program)];
      expect(tensors.map((tensor) => tensor.name)).to.have.members(declared.map((one) => one.name));
      expect(new Set(tensors.map(({ key }) => key)).size).to.equal(tensors.length);
      for (const { name: ours, shape, layout } of tensors) {
        expect(declared.find((one) => one.name === ours)?.shape).to.deep.equal(shape);
        const values = uniform(seedKey(1), sizeOf(shape));
        expect(layout.shape).to.have.length(shape.length);
        expect(sizeOf(layout.shape)).to.equal(values.length);
        expect(fromPytorch(toPytorch(values, layout), layout)).to.deep.equal(values);
      }
    });
  }

  it('number the layers of VGG as nn.Sequential does', () => {
    const keys = keysOf('vgg16');
    expect(keys.slice(0, 5)).to.deep.equal(
      ['0.weight', '1.weight', '1.bias', '1.running_mean', '1.running_var'].map((leaf) => `features.${leaf}`),
    );
    expect(keys).to.include.members(['features.7.weight', 'features.40.weight', 'features.41.running_var']);
    expect(keys.slice(-2)).to.deep.equal(['classifier.weight', 'classifier.bias']);
    expect(keysOf('vgg16-bsr').filter((key) => key.startsWith('classifier'))).to.deep.equal(
      [0, 2, 4].flatMap((i) => [`classifier.${i}.weight`, `classifier.${i}.bias`]),
    );
  });

  it('are those of the reference code for ResNet and WRN', () => {
    expect(keysOf('resnet18')).to.include.members(['conv1.weight', 'layer2.0.shortcut.1.running_mean', 'linear.bias']);
    expect(keysOf('wrn-16-4')).to.include.members(['block1.layer.0.convShortcut.weight', 'bn1.weight', 'fc.weight']);
  });

  it('turn kernels from height, width, inputs, outputs to outputs, inputs, height, width', () => {
    const { layout, shape } = tensorsOf('resnet18')[0];
    expect(shape).to.deep.equal([3, 3, 3, 4]);
    expect(layout.shape).to.deep.equal([4, 3, 3, 3]);
    const values = Float32Array.from({ length: 108 }, (_, i) => i);
    const turned = toPytorch(values, layout);
    for (const [row, column, input, output] of [
      [0, 0, 0, 0],
      [2, 1, 0, 3],
      [1, 2, 2, 1],
    ]) {
      expect(turned[((output * 3 + input) * 3 + row) * 3 + column]).to.equal(
        values[((row * 3 + column) * 3 + input) * 4 + output],
      );
    }
  });

  it('follow PyTorch in flattening channel by channel, batch norm included', () => {
    // Three convolutions leave 4 × 4 × 8 of 32 × 32 × 3.
    const [gamma, kernel] = ['bn4.gamma', 'fc.kernel'].map((name) => {
      const found = tensorsOf('cnn').find((tensor) => tensor.name === name);
      if (!found) throw new Error(name);
      return found;
    });
    const place = (row: number, column: number, channel: number) => (row * 4 + column) * 8 + channel;
    const vector = toPytorch(
      Float32Array.from({ length: 128 }, (_, i) => i),
      gamma.layout,
    );
    expect(vector[(5 * 4 + 1) * 4 + 2]).to.equal(place(1, 2, 5));
    expect(kernel.layout.shape).to.deep.equal([10, 128]);
    const matrix = toPytorch(
      Float32Array.from({ length: 1280 }, (_, i) => i),
      kernel.layout,
    );
    expect(matrix[7 * 128 + (5 * 4 + 1) * 4 + 2]).to.equal(place(1, 2, 5) * 10 + 7);
  });
});
