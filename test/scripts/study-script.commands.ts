import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { rateRuns, TOTALS } from '../../scripts/study/design.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/study.js', import.meta.url));
const study = (...args: string[]) => promisify(execFile)(process.execPath, [SCRIPT, ...args]);

describe('npm run study', () => {
  let out: string;
  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), 'equipoise-study-'));
  });
  afterEach(() => rm(out, { recursive: true }));

  it('prints what it plans without making anything', async () => {
    const { stdout } = await study('--plan', '--out', out);
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(rateRuns().map(({ name }) => name));
    for (const line of lines) expect(JSON.parse(line.slice(line.indexOf(' ')))).to.include({ seed: 0, epochs: 15 });
    expect(await readdir(join(out, 'runs'))).to.deep.equal([]);
  });

  it('writes its tables beside a study that is under way, and its part of a page', async () => {
    const page = join(out, 'page.md');
    await writeFile(page, '# Results\n');
    await writeFile(join(out, 'study.pid'), String(process.pid));
    const { stdout } = await study('--tables', '--out', out, '--docs', page);
    expect(stdout).to.contain(`0 of ${TOTALS.primary} primary runs`);
    expect(await readFile(page, 'utf8'))
      .to.contain('# Results')
      .and.to.contain('nothing can be said');
    expect((await readdir(out)).sort()).to.include.members(['epochs-to-accuracy.csv', 'results.csv', 'study.md']);
  });

  it('refuses a second study in the same folder, and runs of another design', async () => {
    const refused = async () => {
      const error = await study('--out', out, '--commit', 'test').then(
        () => null,
        (reason: { code: number; stderr: string }) => reason,
      );
      return { code: error?.code, stderr: error?.stderr };
    };
    await writeFile(join(out, 'study.pid'), String(process.pid));
    const second = await refused();
    expect(second.code).to.equal(2);
    expect(second.stderr).to.match(/^Process \d+ is making the study/);
    await rm(join(out, 'study.pid'));
    const [{ name, config }] = rateRuns();
    await mkdir(join(out, 'runs', name), { recursive: true });
    await writeFile(join(out, 'runs', name, 'config.json'), JSON.stringify({ ...config, epochs: 3 }));
    const other = await refused();
    expect(other.code).to.equal(2);
    expect(other.stderr).to.contain('holds a run of other settings than the plan has now');
  });
});
