import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { LAST_CHECKPOINT, readRunConfig, runFolder } from '../../src/training/run/run-folder.ts';
import { train } from '../../src/training/train.ts';
import { useBackend } from '../backend.ts';
import { contents } from '../cli/folder.ts';
import { rejection } from '../rejection.ts';
import { tinyConfig } from './tiny.ts';

const config = tinyConfig({ epochs: 1 });

describe("what the system refuses in a run's folder", () => {
  let base = '';
  let count = 0;
  before(async () => {
    await useBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-refused-'));
  });
  after(() => rm(base, { recursive: true }));

  const obstacles: readonly (readonly [string, (out: string) => Promise<unknown> | undefined, RegExp, boolean?])[] = [
    ['a folder named config.json', (out) => mkdir(runFolder(out).config), /config\.json cannot be read: .*\(EISDIR/],
    ['a link in a circle', (out) => symlink('config.json', runFolder(out).config), /cannot be read: .*\(ELOOP/],
    [
      'a folder named events.jsonl',
      (out) => mkdir(runFolder(out).events),
      /events\.jsonl cannot be written: .*\(EISDIR/,
    ],
    [
      'a folder named metrics.csv',
      (out) => mkdir(runFolder(out).metrics),
      /metrics\.csv cannot be (read|written): .*\(EISDIR/,
    ],
    ['a folder named inputs.json', (out) => mkdir(runFolder(out).inputs), /inputs\.json cannot be read: .*\(EISDIR/],
    ['inputs.json that is no JSON', (out) => writeFile(runFolder(out).inputs, '{'), /inputs\.json is damaged/],
    [
      'a file named checkpoints',
      (out) => writeFile(join(out, 'checkpoints'), ''),
      /safetensors cannot be (written|removed)/,
    ],
    [
      'a file named run.lock',
      (out) => writeFile(runFolder(out).lock, ''),
      /run\.lock cannot be (read|written): .*\(ENOTDIR/,
    ],
    [
      'a folder named last.safetensors',
      (out) => mkdir(runFolder(out).last, { recursive: true }),
      /last\.safetensors cannot be written: .*\(EISDIR/,
    ],
  ];
  for (const [name, obstruct, message] of obstacles) {
    it(`is told in words: ${name}`, async () => {
      const out = join(base, `run-${count++}`);
      await mkdir(out);
      await obstruct(out);
      const error = await rejection(train(config, { out, lockTimes: { heartbeatMs: 20, staleMs: 100 } }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
      expect(Object.keys(contents(out)).filter((file) => file.includes('temporary'))).to.deep.equal([]);
    });
  }

  it('is told in words: a name that is too long, and a path below a file', async () => {
    await writeFile(join(base, 'file'), '');
    for (const [out, message] of [
      [join(base, 'x'.repeat(300)), /cannot be read: .*\(ENAMETOOLONG.*Choose a shorter one/],
      [join(base, 'file', 'run'), /run is a file, or is below a file/],
    ] as const) {
      const error = await rejection(train(config, { out }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    }
  });

  it('writes config.json again if it was removed during training, and says that the best checkpoint was', async () => {
    const out = join(base, `run-${count++}`);
    const { config: file, best } = runFolder(out);
    const warnings: string[] = [];
    const { status } = await train(config, {
      out,
      onProgress: (event) => {
        if (event.kind === 'warning') warnings.push(event.message);
        if (event.kind !== 'checkpoint' || event.file !== LAST_CHECKPOINT) return;
        for (const removed of [file, best, `${best}.previous`]) rmSync(removed, { force: true });
      },
    });
    expect(status).to.equal('done');
    expect(await readRunConfig(out)).to.deep.equal(config);
    expect(warnings).to.include(
      `${best} is missing: it was removed after epoch 1. Only the last checkpoint is left to evaluate.`,
    );
  });
});
