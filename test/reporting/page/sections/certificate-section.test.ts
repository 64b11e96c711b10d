import { expect } from 'chai';
import type { Certification } from '../../../../src/evaluation/certify/record.ts';
import { certificateSection } from '../../../../src/reporting/page/sections/certificate-section.ts';
import type { ReportGroup } from '../../../../src/reporting/report-data.ts';

const certification = {
  target: { checkpoint: 'best' },
  dataset: { sha256: 'abc' },
  sigma: 0.25,
  n: 1000,
  alpha: 0.001,
  images: [
    { index: 0, label: 1, prediction: 1, radius: 0.6, successes: 999 },
    { index: 1, label: 1, prediction: 1, radius: 0.3, successes: 900 },
    { index: 2, label: 1, prediction: 0, radius: 0.7, successes: 1000 },
    { index: 3, label: 1, prediction: -1, radius: 0, successes: 500 },
  ],
} as unknown as Certification;

const groupOf = (certifications: readonly Certification[], name = 'run') =>
  ({ sha256: 'abc', runs: [{ name, config: { sparsity: 0.9 }, certifications }] }) as unknown as ReportGroup;

describe('the section of certificates', () => {
  it('shows certified accuracy by radius, wrong classes and abstentions counted as wrong', async () => {
    const section = await certificateSection(groupOf([certification], '<run>'));
    const text = section?.body.text ?? '';
    expect(text).to.contain('&lt;run&gt;').and.not.contain('<run>');
    expect(text).to.contain('σ 0.25').and.contain('<svg');
    const cells = [...text.matchAll(/<td class=""[^>]*>([^<]*)<\/td>/g)].map(([, cell]) => cell);
    // Images, n and α, then radii 0, 0.25, 0.5 and 0.75.
    expect(cells).to.deep.equal(['4', '1000', '0.001', '50.0 %', '50.0 %', '25.0 %', '0.0 %']);
  });

  it('shows the accuracy of the same classifier under attack, and images that fell within their certificate', async () => {
    const attacked = [{ attack: 'pgd-20-ce-eot20', epsilon: 0.5, votes: 1000, images: 4, right: [1] }];
    const text = (await certificateSection(groupOf([{ ...certification, attacked }])))?.body.text ?? '';
    const [, table] = text.split('<p>Crosses');
    const cells = [...table.matchAll(/<td class=""[^>]*>([^<]*)<\/td>/g)].map(([, cell]) => cell);
    // Radius, certified, under attack; image 0 has a radius of 0.6 and fell.
    expect(cells).to.deep.equal(['0.5', '25.0 %', '25.0 % [4.6, 69.9]', '1']);
  });

  it('is left out if nothing was certified, or other images', async () => {
    expect(await certificateSection(groupOf([]))).to.equal(null);
    const other = { ...certification, dataset: { ...certification.dataset, sha256: 'other' } };
    expect(await certificateSection(groupOf([other]))).to.equal(null);
  });
});
