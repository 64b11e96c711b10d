// Which networks of a report are shown beside each other in pictures.
import { expect } from 'chai';
import { contrasting } from '../../src/reporting/pictures/contrasting.ts';
import { collectReport, headlineCells } from '../../src/reporting/report-data.ts';
import type { SummaryCell } from '../../src/reporting/tables/summary.ts';
import { sampleRuns } from './sample.ts';

describe('the networks that pictures contrast', () => {
  const cells = headlineCells(collectReport(sampleRuns(), 'T').groups[0]);
  const isNatural = ({ setting }: SummaryCell) => setting.objective === 'natural';
  const isDense = ({ setting }: SummaryCell) => setting.sparsity === 0;
  const shown = (some: readonly SummaryCell[]) =>
    contrasting(some).map(({ setting }) => `${setting.objective} ${setting.sparsity}`);
  const defended = cells.filter((cell) => !isNatural(cell));
  const [least] = [...new Set(defended.filter((cell) => !isDense(cell)).map(({ setting }) => setting.sparsity))].sort();

  it('are the one without defence and the most robust sparse one', () => {
    expect(shown(cells)).to.deep.equal(['natural 0', `at ${least}`]);
  });

  it('are the most robust sparse one and the most robust dense one where all are defended', () => {
    expect(shown(defended)).to.deep.equal([`at ${least}`, 'at 0']);
  });

  it('are fewer where there are fewer', () => {
    expect(shown(defended.filter(isDense))).to.deep.equal(['at 0']);
    expect(shown([])).to.deep.equal([]);
  });
});
