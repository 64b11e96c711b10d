import { expect } from 'chai';
import { formatRecord, type LockRecord } from '../../src/files/lock-record.ts';
import { describeOwner, judge, parseRecord, type Sighting } from '../../src/files/lock-state.ts';
import { hasEnded } from '../../src/files/owner.ts';

const record = (replaced: Partial<LockRecord> = {}): LockRecord => ({
  host: 'node7',
  boot: 'boot-1',
  pid: 4242,
  token: 'a',
  beat: 3,
  ...replaced,
});
const sighting = (replaced: Partial<LockRecord> = {}): Sighting => {
  const written = record(replaced);
  return { token: written.token, text: formatRecord(written) };
};
const staleMs = 90_000;
const alive = { staleMs, hasEnded: () => false };
const gone = { staleMs, hasEnded: () => true };

describe('the owner of a lock', () => {
  it('lives if its counter moves, however long that took', () => {
    const watch = { first: sighting(), elapsedMs: 10 * staleMs };
    expect(judge(watch, sighting({ beat: 4 }), alive)).to.equal('held');
  });

  it('lives if another one has come meanwhile', () => {
    expect(judge({ first: sighting(), elapsedMs: 0 }, sighting({ token: 'b', beat: 3 }), gone)).to.equal('held');
  });

  it('is gone if its process is, at once', () => {
    expect(judge({ first: sighting(), elapsedMs: 0 }, sighting(), gone)).to.equal('stale');
  });

  it('is gone if nothing has moved for the whole time that the watcher measured, and not before', () => {
    expect(judge({ first: sighting(), elapsedMs: staleMs - 1 }, sighting(), alive)).to.equal('yet');
    expect(judge({ first: sighting(), elapsedMs: staleMs }, sighting(), alive)).to.equal('stale');
  });

  it('is not told by the record of the owner before it, nor by a record that cannot be read', () => {
    const takenOver = { token: 'b', text: formatRecord(record({ token: 'a' })) };
    expect(judge({ first: takenOver, elapsedMs: 0 }, takenOver, gone)).to.equal('yet');
    for (const text of ['', '{"host":"node7"', 'null', '{"host":1,"boot":"b","pid":-5,"token":"b","beat":0}']) {
      expect(parseRecord(text)).to.equal(null);
      const torn = { token: 'b', text };
      expect(judge({ first: torn, elapsedMs: 0 }, torn, gone)).to.equal('yet');
      expect(describeOwner(torn)).to.equal('another process');
    }
  });

  it('is named by process and host', () => {
    expect(describeOwner(sighting())).to.equal('process 4242 on node7');
  });

  it('is known to have ended on the same host and start of the machine only', () => {
    const here = { host: 'node7', boot: 'boot-1', pid: process.pid };
    // Linux has no process of this number, and no other system that starts 2^30 of them.
    const pid = 2 ** 30;
    expect(hasEnded({ ...here, pid }, here)).to.equal(true);
    expect(hasEnded(here, here)).to.equal(false);
    for (const other of [{ host: 'node8' }, { boot: 'boot-2' }, { boot: null }]) {
      expect(hasEnded({ ...here, pid, ...other }, here)).to.equal(false);
    }
    expect(hasEnded({ host: 'node7', boot: null, pid }, { ...here, boot: null })).to.equal(false);
  });
});
