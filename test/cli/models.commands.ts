// The zoo on the command line, in a folder of the test's own: one network that comes along, one that does not.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { equipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

describe('equipoise models', () => {
  const folder = temporaryFolder();
  const zoo = join(folder, 'zoo');
  const cpu = ['--backend', 'cpu'];
  const earlier = process.env.EQUIPOISE_ZOO;
  const run = (...args: readonly string[]) => {
    const { code, stdout, stderr } = equipoise([...args, ...cpu, '--quiet'], folder);
    expect(code, stderr).to.equal(0);
    return stdout;
  };
  /** What the command prints in this process, or the error that it ends with. */
  async function says(...args: readonly string[]): Promise<string | Error> {
    const printed: string[] = [];
    const print = (text: string) => void printed.push(text);
    return runCommandLine(args, '0.0.0', { ...silentTerminal(), print, note: print, warn: print }).then(
      () => printed.join('\n'),
      (error: Error) => error,
    );
  }
  const card = { network: 'MLP, static 90 %', dataset: 'synthetic', command: 'equipoise train --dataset synthetic' };
  const made = (sha256: string) => ({
    preliminary: 'It was trained for one epoch.',
    bytes: 1234,
    sha256,
    data: { sha256: 'ab'.repeat(32), note: 'generated' },
    seed: 0,
    machine: 'a test',
    seconds: 75,
    norm: 'linf',
    epsilon: 0.1,
    clean: accuracyOf(48, 64),
    pgd: { attack: 'pgd-50x10', robust: accuracyOf(32, 64) },
    autoattack: { attack: 'autoattack', robust: accuracyOf(16, 32) },
  });
  const writeCard = (name: string, content: unknown) =>
    writeFileSync(join(zoo, `${name}.json`), JSON.stringify(content));

  before(() => {
    process.env.EQUIPOISE_ZOO = zoo;
    mkdirSync(zoo);
    const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64'];
    run('train', ...tiny, '--method', 'static', '--sparsity', '0.9', '--epochs', '1', '--steps', '1', '--out', 'run');
    run('export', 'run', '--to', 'compact', '--out', 'zoo/tiny-90.safetensors');
    const bytes = readFileSync(join(zoo, 'tiny-90.safetensors'));
    writeCard('tiny-90', { ...card, made: made(createHash('sha256').update(bytes).digest('hex')) });
    writeCard('tiny-99', { ...card, network: 'MLP, static 99 %', made: null });
  });
  after(() => {
    if (earlier === undefined) delete process.env.EQUIPOISE_ZOO;
    else process.env.EQUIPOISE_ZOO = earlier;
    rmSync(folder, { recursive: true });
  });

  it('lists the networks with their figures, and the commands of those that do not come along', async () => {
    expect(await says('models')).to.equal(
      [
        // Fits into the 80 columns of the terminal.
        'name                       clean                  PGD           AutoAttack',
        '───────────  ───────────────────  ───────────────────  ───────────────────',
        'zoo:tiny-90  75.0 % [63.2, 84.0]  50.0 % [38.1, 61.9]  50.0 % [33.6, 66.4]',
        '',
        'zoo:tiny-90 (preliminary): MLP, static 90 %, 1.23 kB',
        '',
        'zoo:tiny-90 is preliminary: It was trained for one epoch.',
        '',
        'tiny-99, MLP, static 99 %, does not come with Equipoise. Train it with:',
        '  equipoise train --dataset synthetic',
      ].join('\n'),
    );
    const cards = JSON.parse((await says('models', '--json')) as string);
    expect(cards.map(({ name }: { name: string }) => name)).to.deep.equal(['tiny-90', 'tiny-99']);
    expect(cards[0].made.clean).to.deep.equal(accuracyOf(48, 64));
  });

  it('prints a whole card', async () => {
    const text = await says('models', 'tiny-90');
    for (const part of [
      /^zoo:tiny-90\nnetwork +MLP, static 90 %\ntrained by +equipoise train --dataset synthetic\npreliminary +It was/,
      /\ndata +synthetic, generated; sha256 (ab){32}\nseed +0\nmachine +a test\ntraining +1 min 15 s\n/,
      /\npgd-50x10 +50\.0 % \[38\.1, 61\.9\] within linf 0\.1, on 64 test images\n/,
    ]) {
      expect(text).to.match(part);
    }
    expect(await says('models', 'zoo:tiny-99')).to.match(/\nfile +does not come with Equipoise$/);
    expect(await says('models', 'tiny')).to.be.instanceOf(UsageError);
  });

  it('evaluates, attacks, exports and trains on from a network of the zoo, and writes nothing into the zoo', () => {
    const before = contents(zoo);
    const attacked = (target: string) => run('evaluate', target, '--attacks', 'fgsm').split('\n').slice(1).join('\n');
    expect(attacked('zoo:tiny-90')).to.equal(attacked('run/checkpoints/best.safetensors'));
    run('attack', 'zoo:tiny-90', '--count', '2');
    expect(readdirSync(join(folder, 'attack/tiny-90'))).to.include('examples.html');
    run('export', 'zoo:tiny-90', '--to', 'compact');
    expect(
      readFileSync(join(folder, 'export/tiny-90/tiny-90-compact.safetensors')).equals(
        readFileSync(join(zoo, 'tiny-90.safetensors')),
      ),
    ).to.equal(true);
    run('train', '--from', 'zoo:tiny-90', '--method', 'one-shot', '--sparsity', '0.95', '--epochs', '1', '--out', 'on');
    expect(JSON.parse(readFileSync(join(folder, 'on/config.json'), 'utf8'))).to.include({ model: 'mlp', width: 0.1 });
    expect(contents(zoo)).to.deep.equal(before);
  });

  it('names the networks that there are, the command of one that does not come along, and a file of another content', async () => {
    const failure = async (target: string) => (await says('evaluate', target, ...cpu)) as Error;
    expect(await failure('zoo:tiny-9O'))
      .to.be.instanceOf(UsageError)
      .with.property('message')
      .that.equals(
        'Expected zoo: and one of tiny-90, tiny-99, got zoo:tiny-9O. Did you mean tiny-90? equipoise models lists these networks.',
      );
    expect((await failure('zoo:../run/config')).message).to.match(/^Expected zoo: and one of tiny-90, tiny-99, got/);
    expect((await failure('zoo:tiny-99')).message).to.equal(
      'zoo:tiny-99 does not come with Equipoise. Train it with:\n  equipoise train --dataset synthetic',
    );
    writeCard('wrong', { ...card, made: made('0'.repeat(64)) });
    writeFileSync(join(zoo, 'wrong.safetensors'), 'no network');
    expect(await failure('zoo:wrong'))
      .to.be.instanceOf(InputError)
      .with.property('message')
      .that.matches(/wrong\.safetensors is not the file of its card: expected SHA-256 0{64}, got [0-9a-f]{64}\./);
    rmSync(join(zoo, 'wrong.safetensors'));
    expect(await failure('zoo:wrong')).to.be.instanceOf(InputError);
    writeCard('wrong', { ...card, made: { ...made('0'.repeat(64)), clean: { ...accuracyOf(48, 64), value: 0.9 } } });
    expect(await failure('zoo:tiny-90'))
      .to.be.instanceOf(InputError)
      .with.property('message')
      .that.matches(/wrong\.json: made\.clean\.value: expected correct \/ n/);
    rmSync(join(zoo, 'wrong.json'));
    process.env.EQUIPOISE_ZOO = join(folder, 'nowhere');
    expect(await failure('zoo:tiny-90')).to.be.instanceOf(InputError);
    process.env.EQUIPOISE_ZOO = join(folder, 'run/checkpoints');
    const empty = (await says('models')) as Error;
    expect(empty).to.be.instanceOf(InputError);
    expect(empty.message).to.match(/^Expected cards of networks \(NAME\.json\) in .*checkpoints, got none\./);
    process.env.EQUIPOISE_ZOO = zoo;
  });
});
