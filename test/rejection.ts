// The error that a promise is rejected with.
import { expect } from 'chai';

/** The error that a promise ends with; fails if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  expect(outcome, 'a rejected promise').to.be.instanceOf(Error);
  return outcome as Error;
}
