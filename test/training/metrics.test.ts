import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import {
  formatMetricRow,
  METRIC_COLUMNS,
  METRICS_HEADER,
  type MetricRow,
  parseMetrics,
} from '../../src/training/run/metrics.ts';

const row = (epoch: number, values: Partial<MetricRow> = {}): MetricRow => ({
  ...(Object.fromEntries(METRIC_COLUMNS.map((column) => [column, null])) as MetricRow),
  epoch,
  step: 10 * epoch,
  train_loss: 1.5e-7,
  validation_robust_accuracy: 0.25,
  c_hat: -38.25,
  ...values,
});
const rows = [row(1), row(2, { variance_ratio: Number.POSITIVE_INFINITY }), row(3)];
const text = METRICS_HEADER + rows.map(formatMetricRow).join('');

describe('metrics.csv', () => {
  it('is read as it was written', () => {
    expect(parseMetrics(text, 'm')).to.deep.equal(rows);
    expect(parseMetrics('', 'm')).to.deep.equal([]);
    expect(parseMetrics(METRICS_HEADER, 'm')).to.deep.equal([]);
  });

  it('leaves out a row that a crash cut off, wherever that was', () => {
    const start = text.lastIndexOf('\n', text.length - 2) + 1;
    for (let end = start; end < text.length; end++) {
      expect(parseMetrics(text.slice(0, end), 'm')).to.deep.equal(rows.slice(0, 2));
    }
  });

  it('of another version has null in the columns that it lacks', () =>
    expect(parseMetrics('epoch,unknown\n1,x\n', 'm')[0]).to.include({ epoch: 1, step: null, seconds: null }));

  const lines = text.split('\n');
  for (const [title, broken, expected] of [
    ['an epoch twice', [...lines.slice(0, 3), lines[2], ''], /m, line 4, column epoch: expected epoch 3, got 2/],
    ['an epoch left out', [lines[0], lines[2], ''], /line 2, column epoch: expected epoch 1, got 2/],
    ['a cell too few', [lines[0], lines[1].replace(',', ''), ''], /line 2: expected \d+ cells, got \d+/],
    [
      'a word',
      [lines[0], lines[1].replace('0.25', 'high'), ''],
      /column validation_robust_accuracy: expected a fraction from 0 to 1, got high/,
    ],
    [
      'an accuracy above 1',
      [lines[0], lines[1].replace('0.25', '25'), ''],
      /validation_robust_accuracy: expected a fraction/,
    ],
    [
      'half a step',
      [lines[0], lines[1].replace('1,10,', '1,10.5,'), ''],
      /column step: expected a whole number from 0, got 10.5/,
    ],
    ['no header', ['<html>', ''], /line 1: expected a header with the column epoch, got <html>/],
  ] as const) {
    it(`with ${title} is refused by line and column`, () =>
      expect(() => parseMetrics(broken.join('\n'), 'm')).to.throw(InputError, expected));
  }
});
