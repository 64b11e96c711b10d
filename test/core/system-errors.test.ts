// Errors of the operating system, and those that they cause.
import { open, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { isSystemError, reading, systemCause } from '../../src/core/system-errors.ts';
import { rejection } from '../rejection.ts';

describe('the system error behind an error', () => {
  it('is found however often the error was thrown anew', async () => {
    const refused = await rejection(reading('here', () => readFile('/no/such/file')));
    expect(refused).to.be.instanceOf(InputError);
    expect(isSystemError(refused)).to.equal(false);
    const anew = new InputError('A checkpoint cannot be read.', { cause: new InputError('More.', { cause: refused }) });
    for (const error of [refused, anew]) expect(systemCause(error)?.code).to.equal('ENOENT');
    expect(systemCause(refused.cause)).to.equal(refused.cause);
  });

  it('names the file, which Node does not do once that is open', async () => {
    const refused = await rejection(
      reading('here', async () => {
        const folder = await open('.');
        await folder.read(Buffer.alloc(1), 0, 1, 0).finally(() => folder.close());
      }),
    );
    expect(systemCause(refused)).to.include({ code: 'EISDIR', path: 'here' });
  });

  it('is not there where the system refused nothing', () => {
    const parsing = new InputError('No JSON.', { cause: new SyntaxError('Unexpected end') });
    for (const error of [parsing, new Error('x'), 'text', undefined]) expect(systemCause(error)).to.equal(null);
  });
});
