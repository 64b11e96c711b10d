// What has no end is refused wherever a user or a file may name it.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { readIfThere } from '../../src/checkpoints/files/read-if-there.ts';
import { readConfigFile } from '../../src/cli/flags/setting-flags.ts';
import { InputError } from '../../src/core/errors.ts';
import { readNames } from '../../src/evaluation/formats/pytorch-weights.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { readClassMap } from '../../src/evaluation/targets/class-map.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { rejection } from '../rejection.ts';

const READERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'a checkpoint': readCheckpoint,
  'a model': loadTarget,
  'an ES module': (path) => loadTarget({ path, format: 'module' }),
  'a file that a configuration names by its content': sha256OfFile,
  'results and baselines': readEvaluations,
  "a run's text": readIfThere,
  'settings of --config': (path) => readConfigFile(path, { flags: {} }),
  'a map of --classes': readClassMap,
  'names of --names': readNames,
};

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
