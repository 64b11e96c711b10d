import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch, execPath, platform } from 'node:process';
import { expect } from 'chai';
import { readElfHeader } from '../../src/backends/link/elf.ts';
import { libraryFault } from '../../src/backends/link/library.ts';
import { findNodeHeaders } from '../../src/backends/link/node-headers.ts';
import { findWheel } from '../../src/backends/link/wheel.ts';
import { howItEnded, runProgram } from '../../src/backends/run-program.ts';
import { InputError } from '../../src/core/errors.ts';
import { rejection } from '../rejection.ts';

/** The header of a library for a processor, whose tables end at `end`. */
function elf(machine: number, end: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(64));
  header.setUint32(0, 0x7f454c46);
  header.setUint8(4, 2);
  header.setUint8(5, 1);
  header.setUint16(18, machine, true);
  header.setBigUint64(40, BigInt(end - 64 * 3), true);
  header.setUint16(58, 64, true);
  header.setUint16(60, 3, true);
  return new Uint8Array(header.buffer);
}
const MACHINES: Readonly<Record<string, number>> = { x64: 0x3e, arm64: 0xb7 };
const OTHER = arch === 'arm64' ? 'x64' : 'arm64';

describe('finding what to link to', () => {
  let base = '';
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'equipoise-'));
  });
  after(() => rmSync(base, { recursive: true }));
  const file = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(base, name), content);
    return join(base, name);
  };

  it('reads for which processor a library is, and where it must end', () => {
    const whole = new Uint8Array(300);
    whole.set(elf(0xb7, 300));
    expect(readElfHeader(file('arm.so', whole))).to.deep.equal({ arch: 'arm64', needsBytes: 300, bytes: 300 });
    expect(readElfHeader(file('text.so', 'x'.repeat(100)))).to.equal(null);
    expect(readElfHeader(file('empty.so', ''))).to.equal(null);
  });

  const onLinux = platform === 'linux' ? it : () => {};
  onLinux('finds fault with a library that is missing, cut off, of another processor, or none', () => {
    const whole = new Uint8Array(300);
    whole.set(elf(MACHINES[arch], 300));
    expect(libraryFault(file('good.so', whole))).to.equal(null);
    expect(libraryFault(join(base, 'absent.so'))).to.equal(`${join(base, 'absent.so')} is missing`);
    expect(libraryFault(file('cut.so', whole.subarray(0, 200)))).to.match(
      /cut.so is cut off: it has 200 bytes and needs 300/,
    );
    expect(libraryFault(file('none.so', 'no library'))).to.match(/none.so is damaged, or no library/);
    whole.set(elf(MACHINES[OTHER], 300));
    expect(libraryFault(file('other.so', whole))).to.match(new RegExp(`built for ${OTHER}, and this Node for ${arch}`));
  });

  it('says how to get TensorFlow where there is none', async () => {
    const thrown = await rejection(findWheel({ python: join(base, 'no-python') }));
    expect(thrown).to.be.instanceOf(InputError);
    expect(thrown.message).to.match(/There is no Python: .*no-python cannot be run/);
    expect(thrown.message).to.contain('pip install tensorflow-cpu').and.to.contain('link-tensorflow --python');
    const empty = await rejection(findWheel({ wheelDirectory: base, gpu: true }));
    expect(empty.message).to.match(/--wheel-dir takes a folder with an unpacked TensorFlow.*--target .* tensorflow$/);
    const spaced = await rejection(findWheel({ wheelDirectory: "my $(wheels) it's" }));
    expect(spaced.message).to.match(/ --target 'my \$\(wheels\) it'\\''s' tensorflow-cpu$/);
  });

  it('says what a TensorFlow lacks', async () => {
    const folder = join(base, 'site', 'tensorflow');
    mkdirSync(join(folder, 'include'), { recursive: true });
    const bare = await rejection(findWheel({ wheelDirectory: join(base, 'site') }));
    expect(bare.message).to.match(/has no headers: .*eager\/c_api.h is missing/);
    mkdirSync(join(folder, 'include', 'tensorflow', 'c', 'eager'), { recursive: true });
    writeFileSync(join(folder, 'include', 'tensorflow', 'c', 'eager', 'c_api.h'), '');
    const unlinked = await rejection(findWheel({ wheelDirectory: folder }));
    expect(unlinked.message).to.match(/cannot be linked to: .*libtensorflow_cc.* is missing/);
  });

  it("finds Node's headers in the first folder that has them, or says how to get them", () => {
    file('node_api.h', '');
    expect(findNodeHeaders([join(base, 'site'), base])).to.equal(base);
    expect(() => findNodeHeaders([join(base, 'site')])).to.throw(InputError, /npm install .*node-api-headers/);
  });

  it('tells a program that ends by itself from one that is ended', async () => {
    const run = (code: string) => runProgram(execPath, ['--eval', code]);
    expect(howItEnded(await endedOf(run("console.error('a\\nb'); process.exit(3)")))).to.equal('b');
    expect(howItEnded(await endedOf(run('process.exit(3)')))).to.equal('exit code 3');
    expect(howItEnded(await endedOf(run("process.kill(process.pid, 'SIGILL')")))).to.match(/SIGILL: .*processor/);
    expect(await runProgram(join(base, 'absent'), [])).to.equal(null);
  });
});

async function endedOf(running: ReturnType<typeof runProgram>) {
  const ended = await running;
  if (ended === null) throw new Error('the program did not start');
  return ended;
}
