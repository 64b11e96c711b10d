// In a package that is linked, as `npm run test:tensorflow` makes it; EQUIPOISE_TEST_PYTHON is the Python it is linked to.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type TensorflowPackage, tensorflowPackage } from '../../src/backends/link/binding.ts';
import { runProgram } from '../../src/backends/run-program.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const python = env.EQUIPOISE_TEST_PYTHON ?? 'python3';
const { binding, record, original, folder } = tensorflowPackage('@tensorflow/tfjs-node') as TensorflowPackage;

async function equipoise(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const ended = await runProgram(execPath, [MAIN, ...args], { env: { ...env, ...environment }, timeoutMs: 300_000 });
  if (ended === null) throw new Error('Node cannot be run');
  return ended;
}
const link = (...args: readonly string[]) => equipoise(['link-tensorflow', ...args]);

/** What `doctor` says of the backend. */
async function state(): Promise<{ state: string; detail: string }> {
  const { stdout } = await equipoise(['doctor', '--json']);
  return JSON.parse(stdout).backends.find(({ name }: { name: string }) => name === 'tensorflow');
}

/** Milliseconds for what takes half a minute on an idle machine. */
const COMPILING = 400_000;

describe('linking TensorFlow', () => {
  let base = '';
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'equipoise-'));
  });
  after(() => rmSync(base, { recursive: true }));

  /** A TensorFlow made of links to the real one's parts. */
  function copyOfWheel(): { site: string; framework: string } {
    const [{ path }] = JSON.parse(readFileSync(record, 'utf8')).libraries as { path: string }[];
    const site = mkdtempSync(join(base, 'site-'));
    mkdirSync(join(site, 'tensorflow'));
    for (const name of ['include', 'libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
      symlinkSync(join(dirname(path), name), join(site, 'tensorflow', name));
    }
    return { site, framework: join(site, 'tensorflow', 'libtensorflow_framework.so.2') };
  }

  it('makes a backend that doctor finds ready', async () => {
    const found = await state();
    expect(found.state).to.equal('ready');
    expect(found.detail).to.match(/^TensorFlow 2\.\d+\.\d+ on CPU, through @tensorflow\/tfjs-node 4\.22\.0$/);
  });

  it('says what is missing, and leaves the link as it was', async () => {
    const before = readFileSync(record, 'utf8');
    const cases: readonly (readonly [RegExp, readonly string[], NodeJS.ProcessEnv])[] = [
      [
        /There is no C\+\+ compiler: no-such-compiler cannot be run \(from CXX\).*apt-get/,
        ['--python', python],
        { CXX: 'no-such-compiler' },
      ],
      [
        /@tensorflow\/tfjs-node-gpu is not installed.*npm install --save-optional --ignore-scripts @tensorflow\/tfjs-node-gpu/,
        ['--gpu'],
        {},
      ],
      [/TensorFlow .* takes a folder|--wheel-dir takes a folder/, ['--wheel-dir', base], {}],
      [/does not compile against the TensorFlow in .*: .*error/s, ['--wheel-dir', brokenHeaders()], {}],
    ];
    for (const [message, args, environment] of cases) {
      const { code, stderr } = await equipoise(['link-tensorflow', ...args], environment);
      expect(code, stderr).to.equal(1);
      expect(stderr)
        .to.match(message)
        .and.not.to.match(/\n {4}at /);
    }
    expect(readFileSync(record, 'utf8')).to.equal(before);
    expect((await state()).state).to.equal('ready');
  });

  /** A TensorFlow whose headers are not C++. */
  function brokenHeaders(): string {
    const { site } = copyOfWheel();
    unlinkSync(join(site, 'tensorflow', 'include'));
    const headers = join(site, 'tensorflow', 'include', 'tensorflow', 'c', 'eager');
    mkdirSync(headers, { recursive: true });
    for (const path of [join(headers, 'c_api.h'), join(headers, '..', 'c_api.h')]) writeFileSync(path, 'not a header');
    return site;
  }

  it('names a library that was damaged or taken away since, and the remedy', async () => {
    const { site, framework } = copyOfWheel();
    const { code, stderr } = await link('--wheel-dir', site);
    expect(code, stderr).to.equal(0);
    expect((await state()).state).to.equal('ready');
    const start = readFileSync(framework).subarray(0, 1 << 20);
    unlinkSync(framework);
    expect((await state()).detail)
      .to.contain(`${framework} is missing`)
      .and.to.contain('equipoise link-tensorflow');
    writeFileSync(framework, start);
    expect((await state()).detail).to.contain(`${framework} is cut off: it has 1048576 bytes`);
    const train = await equipoise(['train', '--backend', 'tensorflow', '--out', join(base, 'run')]);
    expect([train.code, train.stderr.includes(`${framework} is cut off`)]).to.deep.equal([1, true]);
  }).timeout(COMPILING);

  it('can be undone, and puts back what was there', async () => {
    expect((await link('--undo')).stdout).to.equal('@tensorflow/tfjs-node: no longer linked.\n');
    expect(existsSync(join(folder, 'lib'))).to.equal(false);
    expect((await link('--undo')).stdout).to.equal('Nothing is linked.\n');
    const missing = await state();
    expect(missing.state).to.equal('broken');
    expect(missing.detail).to.contain(`${binding} is missing`).and.to.contain('equipoise link-tensorflow');

    mkdirSync(dirname(binding), { recursive: true });
    writeFileSync(binding, 'as npm installed it');
    expect((await state()).detail).to.contain(`${binding} is damaged, or no library`);
    const { code, stderr } = await link('--python', python);
    expect(code, stderr).to.equal(0);
    expect((await state()).state).to.equal('ready');
    await link('--undo');
    expect(readFileSync(binding, 'utf8')).to.equal('as npm installed it');
    expect(existsSync(original) || existsSync(record)).to.equal(false);
  }).timeout(COMPILING);

  it('survives a binding that ends the process that loads it', async () => {
    const compiled = await runProgram(env.CXX ?? 'c++', ['-shared', '-fPIC', '-x', 'c++', '-', '-o', binding], {
      input: '#include <cstdlib>\n__attribute__((constructor)) static void end() { std::abort(); }',
    });
    expect(compiled?.code).to.equal(0);
    const found = await state();
    rmSync(binding);
    expect(found.state).to.equal('broken');
    expect(found.detail).to.contain(`${binding} does not load: SIGABRT`);
  });
});
