// What happens when output cannot be written: its reader has closed the pipe, the terminal is gone, or the disk is full.
// The work goes on in every case.
import process from 'node:process';

/** Error codes of output that nobody wants any more: of a pipe that its reader has closed, as head does, and of a closed terminal. */
const UNWANTED: ReadonlySet<string | undefined> = new Set(['EPIPE', 'EIO']);

/** Goes on without output, whatever the reason. */
export function outliveOutput(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) stream.on('error', () => {});
}

/**
 * Goes on without progress, whatever the reason, and without results that nobody wants any more.
 *
 * @param onLost called once, with the reason, if results are lost that somebody wants
 */
export function watchOutput(onLost: (error: NodeJS.ErrnoException) => void): void {
  outliveOutput([process.stdout, process.stderr]);
  // What is printed after the first failure fails because of it.
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (!UNWANTED.has(error.code)) onLost(error);
  });
}
