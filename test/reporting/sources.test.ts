import { expect } from 'chai';
import { html } from '../../src/reporting/page/html.ts';
import { sourcesSection } from '../../src/reporting/page/sections/sources-section.ts';
import { collectReport } from '../../src/reporting/report-data.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { sampleRuns } from './sample.ts';

describe('the commands that make a run again', () => {
  const commandsFor = (change: (run: RunRecord) => RunRecord): string => {
    const section = sourcesSection(collectReport([change(sampleRuns()[0])], 'a title'), {});
    return (section === null ? '' : html`${section.body}`.text).match(/equipoise train[\s\S]*?<\/pre>/)?.[0] ?? '';
  };

  it('evaluate it by the norm and the seed that its results have', () => {
    const usual = commandsFor((run) => run);
    expect(usual).to.match(/evaluate runs\/\S+-again --attacks \S+ --epsilon \S+ --test-limit \d+<\/pre>$/);
    const other = commandsFor((run) => ({
      ...run,
      evaluations: run.evaluations.map((evaluation) => ({
        ...evaluation,
        seed: 3,
        attacks: evaluation.attacks.map((attack) => ({ ...attack, norm: 'l2' as const })),
      })),
    }));
    expect(other).to.match(/ --norm l2 --epsilon \S+ --seed 3 --test-limit \d+<\/pre>$/);
  });

  it("name the folder of one's own images, and no folder that reads as an option", () => {
    const own = commandsFor((run) => ({ ...run, folder: '-rf', config: { ...run.config, dataset: 'folder' } }));
    expect(own).to.match(/train --config \.\/-rf\/config\.json --out \.\/-rf-again --data FOLDER\n/);
    expect(own).to.match(/evaluate \.\/-rf-again .*--data FOLDER<\/pre>$/);
  });
});
