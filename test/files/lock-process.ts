// Holds a lock in a process of its own: node lock-process.js PATH TIMES
//
// It tells on standard output when it has the lock, and after each line of standard input whether the guard lets it write.
import { createInterface } from 'node:readline';
import { acquireLock } from '../../src/files/lock.ts';

const [path, times] = process.argv.slice(2);
try {
  const lock = await acquireLock(path, JSON.parse(times));
  console.log('held');
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'release') break;
    console.log(
      await lock.guard().then(
        () => 'may write',
        (error: Error) => error.message,
      ),
    );
  }
  await lock.release();
  process.stdin.destroy();
} catch (error) {
  console.log((error as Error).message);
}
