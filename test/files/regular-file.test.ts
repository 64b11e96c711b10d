// What has no end is refused wherever a user or a file may name it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { sha256Of } from '../../src/checkpoints/files/digest.ts';
import { readIfThere } from '../../src/checkpoints/files/read-if-there.ts';
import { readSafetensors } from '../../src/checkpoints/safetensors/safetensors-file.ts';
import { readConfigFile } from '../../src/cli/flags/setting-flags.ts';
import { InputError } from '../../src/core/errors.ts';
import { openCorruptions } from '../../src/data/sets/corruptions.ts';
import { readNames } from '../../src/evaluation/formats/pytorch-weights.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { readClassMap } from '../../src/evaluation/targets/class-map.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { readText } from '../../src/files/regular-file.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { rejection } from '../rejection.ts';

const READERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'a checkpoint': readCheckpoint,
  'tensors that are read one by one': (path) => readSafetensors(path, []),
  'a model': loadTarget,
  'an ES module': (path) => loadTarget({ path, format: 'module' }),
  'a file that a configuration names by its content': sha256OfFile,
  'results and baselines': readEvaluations,
  "a run's text": readIfThere,
  'settings of --config': (path) => readConfigFile(path, { flags: {} }),
  'a map of --classes': readClassMap,
  'names of --names': readNames,
};

describe('a link that leads round in a circle', () => {
  if (process.platform === 'win32') return;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-loop-'));
    await symlink('loop', join(folder, 'loop'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [what, read] of Object.entries(READERS)) {
    it(`is refused in words as ${what}`, async () => {
      const error = await rejection(read(join(folder, 'loop')));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(/cannot be read.*its links lead round in a circle/)
        .and.not.to.contain('ELOOP:');
    });
  }
});

describe('a file of the system that says it is empty', () => {
  const path = '/proc/self/status';

  it('is read as empty, since it may have no end', async function () {
    if (!existsSync(path)) this.skip();
    expect(await readText(path)).to.equal('');
    expect(await sha256OfFile(path)).to.equal(sha256Of(''));
    expect((await rejection(readCheckpoint(path))).message).to.contain('ends at byte 0');
  });
});

describe('a model on a disk that fails', () => {
  // Nothing is mapped at the beginning of a process's memory, so reading there fails as on a broken disk.
  const path = '/proc/self/mem';

  it('is refused in words', async function () {
    if (!existsSync(path)) this.skip();
    const error = await rejection(loadTarget(path));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.contain(`${path} cannot be read`).and.to.contain('(EIO)');
  });
});

describe('corrupted images whose labels are a pipe', () => {
  if (process.platform === 'win32') return;
  it('are refused at once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'equipoise-labels-'));
    expect(spawnSync('mkfifo', [join(folder, 'labels.npy')]).status).to.equal(0);
    const error = await rejection(openCorruptions('cifar10-c', folder));
    await rm(folder, { recursive: true });
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/labels\.npy is a pipe/);
  });
});

describe('settings, which are small', () => {
  it('are not read from a large file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'equipoise-settings-'));
    const path = join(folder, 'large.yaml');
    await writeFile(path, 'seed: 1\n# '.padEnd(1_100_000, 'x'));
    const error = await rejection(readConfigFile(path, { flags: {} }));
    await rm(folder, { recursive: true });
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/large\.yaml has 1\.1 MB; expected at most 131 kB/);
  });
});

describe('a device or a pipe without a writer', () => {
  if (process.platform === 'win32') return;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-pipe-'));
    expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).to.equal(0);
  });
  after(() => rm(folder, { recursive: true }));

  for (const [what, read] of Object.entries(READERS)) {
    it(`is refused at once as ${what}`, async () => {
      for (const path of [join(folder, 'pipe'), '/dev/zero']) {
        const error = await rejection(read(path));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.include(path);
        expect(error.message).to.match(/a pipe|a device|regular file|neither a file nor a folder/);
      }
    });
  }
});
