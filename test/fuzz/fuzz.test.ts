// Damaged inputs for every parser. FUZZ_INPUTS tries another number of them, FUZZ_SEED others. An input that a parser fails on
// is kept in test/fuzz/corpus/PARSER, and tried in every later run.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { type Fuzzer, inputOf, parserNames, startFuzzer } from './fuzz.ts';
import { parsers } from './parsers.ts';

const INPUTS = Number(process.env.FUZZ_INPUTS ?? 300);
const SEED = process.env.FUZZ_SEED ?? 'fuzz';

const corpus = fileURLToPath(new URL('../../../test/fuzz/corpus', import.meta.url));

describe('the fuzzer', function () {
  this.timeout(60_000);

  it('notices what never ends, takes much memory, ends the process or throws another error', async () => {
    const fuzzer = startFuzzer({ seconds: 1, growth: 2 ** 26 });
    const outcomes: string[] = [];
    for (const parser of ['endless', 'greedy', 'leaving', 'raw']) {
      const { outcome, text } = await fuzzer.try({ parser, bytes: Buffer.of() });
      outcomes.push(`${outcome}: ${text.split(' ', 3).join(' ')}`);
    }
    fuzzer.stop();
    expect(outcomes[0]).to.equal('killed: took 1 s');
    expect(outcomes[1]).to.match(/^killed: took \d+ MB$/);
    expect(outcomes[2]).to.equal('killed: ended with exit');
    expect(outcomes[3]).to.match(/^fault: SyntaxError/);
  });
});

describe('every parser, given damaged inputs, accepts or refuses them in little time and memory', function () {
  this.timeout(0);
  let fuzzer: Fuzzer;
  before(() => {
    fuzzer = startFuzzer();
  });
  after(() => fuzzer.stop());

  for (const name of parserNames) {
    const folder = join(corpus, name);
    const kept = existsSync(folder) ? readdirSync(folder).sort() : [];

    it(`${name}: sound inputs are accepted`, async () => {
      const { seeds, pack } = parsers[name];
      for (const seed of seeds) {
        const { outcome, text } = await fuzzer.try({ parser: name, bytes: pack ? pack(seed) : seed });
        expect(outcome, text).to.equal('accepted');
      }
    });

    for (const file of kept) {
      it(`${name}: ${file}, a former failure`, async () => {
        const { outcome, text } = await fuzzer.try({ parser: name, bytes: readFileSync(join(folder, file)) });
        expect(outcome, text).to.be.oneOf(['accepted', 'refused']);
      });
    }

    it(`${name}: damaged inputs`, async () => {
      const key = foldIn(seedKey(SEED), name);
      const failures: string[] = [];
      let refused = 0;
      const count = Math.ceil(INPUTS / parserNames.length);
      for (let n = 0; n < count; n++) {
        const bytes = inputOf(parsers[name], key, n);
        const { outcome, text } = await fuzzer.try({ parser: name, bytes });
        if (outcome === 'refused') refused++;
        if (outcome === 'accepted' || outcome === 'refused') continue;
        const file = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, file), bytes);
        failures.push(`${file}: ${outcome}, ${text}`);
      }
      expect(failures).to.deep.equal([]);
      if (!parsers[name].acceptsAll) expect(refused).to.be.above(count / 10);
    });
  }
});
