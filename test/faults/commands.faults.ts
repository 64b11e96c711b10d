// Every file operation of small commands fails once, in each way; after the command is repeated, nothing may differ.
//
//   npm run test:faults                               every operation
//   EQUIPOISE_FAULTS=sample npm run test:faults       a few of them, spread over each command
import { expect } from 'chai';
import { commands } from './commands.ts';
import { FAULT_KINDS } from './preload.ts';
import { check, dispose, type Prepared, prepare } from './scenario.ts';

describe('a file operation that fails', function () {
  this.timeout(0);
  for (const scenario of commands) {
    describe(`in ${scenario.name}`, () => {
      let prepared: Prepared;
      before(async () => {
        prepared = await prepare(scenario);
      });
      after(() => dispose(prepared));
      for (const [k, kind] of FAULT_KINDS.entries()) {
        it(`loses nothing and changes nothing: ${kind}`, async function () {
          const operations = prepared.operations[kind];
          if (operations === 0) this.skip();
          const all = Array.from({ length: operations }, (_, i) => i);
          const step = operations / scenario.sample;
          // Other operations for each kind.
          const some = Array.from({ length: scenario.sample }, (_, i) =>
            Math.floor((i + k / FAULT_KINDS.length) * step),
          );
          const queue = process.env.EQUIPOISE_FAULTS === 'sample' ? some : all;
          const problems: string[] = [];
          const work = async (): Promise<void> => {
            for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
              const problem = await check(prepared, kind, at);
              if (problem !== null) problems.push(problem);
            }
          };
          await Promise.all([work(), work()]);
          expect(problems.join('\n\n')).to.equal('');
        });
      }
    });
  }
});
