import { expect } from 'chai';
import { markdownTable, number, percent, ratio } from '../../../scripts/bench/table.ts';
import { standing, targetOf, verdict, verdictAtMost } from '../../../scripts/bench/targets.ts';

describe("the bench's tables", () => {
  it('are Markdown with numbers on the right', () => {
    expect(markdownTable(['', 'ms'], [['a', '1']])).to.equal('|  | ms |\n|---|---:|\n| a | 1 |');
  });

  it('show three significant digits', () => {
    expect([0, 0.0123, 1.234, 12.34, 123.4, 12345].map(number)).to.deep.equal([
      '0',
      '0.012',
      '1.23',
      '12.3',
      '123',
      '12345',
    ]);
    expect(ratio(2.345)).to.equal('2.35×');
    expect(ratio(23.45)).to.equal('23.4×');
    expect(percent(0.95)).to.equal('95 %');
    expect([number, ratio, percent].map((show) => show(Number.NaN))).to.deep.equal(['–', '–', '–']);
  });

  it('say by how much a figure misses what is required or hoped for', () => {
    const target = { required: 4, goal: 8 };
    expect(standing(9, target)).to.equal('goal 8× met');
    expect(standing(6, target)).to.equal('required 4× met; goal 8× missed by 25 %');
    expect(standing(3, target)).to.equal('required 4× **missed by 25 %**; goal 8×');
    expect(verdict(2, 2.5)).to.equal('≥ 2.5×: missed by 20 %');
    expect(verdict(2.5, 2.5)).to.equal('≥ 2.5×: met');
    expect(verdictAtMost(4, 5, ' µs')).to.equal('≤ 5 µs: met');
    expect(verdictAtMost(6, 5, ' µs')).to.equal('≤ 5 µs: 20 % above');
    expect(verdictAtMost(10.04, 10, ' %')).to.equal('≤ 10 %: 1 % above');
  });

  it('hold other networks to ratios within 20 % of those of VGG16', () => {
    expect(targetOf('vgg16', 'attack', 0.9, 'plain')).to.deep.equal({ required: 2.8, goal: 4 });
    expect(targetOf('resnet18', 'step', 0.95, 'revectorize')?.goal).to.be.closeTo(5.6, 1e-12);
    expect(targetOf('vgg16', 'pgd', 0.9, 'plain')).to.equal(undefined);
    expect(targetOf('vgg16', 'attack', 0, 'plain')).to.equal(undefined);
  });
});
