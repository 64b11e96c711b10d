// Every source that parses what comes from outside is covered by a row of the fuzzed parsers, or is named here with its reason.
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { ModelFormat } from '../../src/evaluation/formats/format.ts';
import { FORMATS } from '../../src/evaluation/formats/index.ts';
import { parsers } from './parsers.ts';

const root = fileURLToPath(new URL('../../../src', import.meta.url));

/** What a source that parses bytes or text has in it. */
const PARSES =
  /\bJSON\.parse\(|\bjsonValue\(|\bparseJson\(|new DataView\(|\.read(U?Int|Float|Double|BigU?Int)|\byamlValue\(|import\('yaml'\)|\bcreateGunzip\(|\binflate(Sync)?\(|response\.body|new Pbf|from 'pbf'/;

/** The rows that fuzz a source. */
const ROWS: Readonly<Record<string, readonly string[]>> = {
  'checkpoints/exchange/layers-file.ts': ['exported-layers'],
  'checkpoints/exchange/saved-model.ts': ['layers-model', 'graph-model', 'exported-layers'],
  'checkpoints/pytorch/exported.ts': ['exported-pytorch'],
  'checkpoints/safetensors/safetensors.ts': ['pytorch-weights', 'checkpoint', 'expected-logits'],
  'checkpoints/safetensors/stored.ts': ['checkpoint'],
  'cli/flags/setting-flags.ts': ['sweep-yaml'],
  'data/files/idx.ts': ['idx-images', 'idx-labels', 'idx-packed'],
  'data/files/inflate.ts': ['idx-packed', 'mat-images', 'png-chunks'],
  'data/files/mat.ts': ['mat', 'mat-images'],
  'data/files/npy.ts': ['npy'],
  'data/files/published-files.ts': ['idx-packed', 'cifar'],
  'data/files/tar.ts': ['tar', 'tar-gz'],
  'data/pictures/jpeg.ts': ['jpeg'],
  'data/pictures/orientation.ts': ['jpeg', 'png-chunks'],
  'data/pictures/png-orientation.ts': ['png-chunks'],
  'data/pictures/png.ts': ['png', 'png-chunks'],
  'evaluation/formats/index.ts': ['layers-model', 'graph-model', 'pytorch-weights'],
  'evaluation/formats/onnx/protobuf.ts': ['onnx'],
  'evaluation/formats/pytorch-weights.ts': ['names'],
  'evaluation/results/record-file.ts': ['evaluations', 'certificates', 'corruptions'],
  'evaluation/results/resume-file.ts': ['interrupted'],
  'evaluation/results/results-file.ts': ['evaluations'],
  'evaluation/targets/class-map.ts': ['class-map'],
  'evaluation/zoo/cards.ts': ['zoo-card'],
  'files/lock-state.ts': ['lock'],
  'reporting/pictures/gallery.ts': ['gallery'],
  'reporting/runs/run-history.ts': ['history'],
  'reporting/runs/runs.ts': ['config', 'evaluation'],
  'training/run/run-folder.ts': ['config', 'inputs', 'history'],
};

const OWN = 'reads what the program itself has made';
const TOOLS = 'reads answers of tools and packages that are installed';

/** Why a source needs no row. */
const OTHERS: Readonly<Record<string, string>> = {
  'backends/inspect.ts': OWN,
  'backends/link/binding.ts': TOOLS,
  'backends/link/elf.ts': TOOLS,
  'backends/link/link.ts': TOOLS,
  'backends/link/wheel.ts': TOOLS,
  'backends/packages.ts': TOOLS,
  'checkpoints/onnx/encode.ts': 'writes',
  'cli/help/manifest.ts': OWN,
  'cli/main.ts': OWN,
  'core/parse-json.ts': 'is what others call',
  'core/parse-yaml.ts': 'is what others call',
  'data/files/download.ts':
    'reads answers of hosts: test/data/fetch.test.ts has their faults, and a checksum covers their content',
  'evaluation/export.ts': OWN,
  'evaluation/version.ts': OWN,
  'reporting/groups/identity.ts': OWN,
  'reporting/page/page-script.ts': 'runs in a page and reads what its own server sends',
  'training/agent/gradient-log.ts': 'reads gradients of the same run, by the SHA-256 that its checkpoint names',
};

const parsing = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.split(sep).join('/'))
  .filter((path) => !path.startsWith('engine/') && PARSES.test(readFileSync(join(root, path), 'utf8')));

describe('the fuzzed parsers', () => {
  it('are all that read what comes from outside: every other source has a reason', () => {
    const listed = [...Object.keys(ROWS), ...Object.keys(OTHERS)];
    expect(parsing.filter((path) => !listed.includes(path))).to.deep.equal([]);
    expect(listed.filter((path) => !parsing.includes(path))).to.deep.equal([]);
  });

  it('have a row for each format of models that is read, called as the format or by that and more', () => {
    const formats: Readonly<Record<string, ModelFormat>> = FORMATS;
    const unfuzzed = Object.keys(formats).filter(
      (format) =>
        !formats[format].refused && !Object.keys(parsers).some((row) => row === format || row.startsWith(`${format}-`)),
    );
    // A module is run, and not parsed.
    expect(unfuzzed).to.deep.equal(['module']);
  });

  it('have a row for each source', () => {
    expect(
      Object.values(ROWS)
        .flat()
        .filter((row) => !(row in parsers)),
    ).to.deep.equal([]);
  });
});
