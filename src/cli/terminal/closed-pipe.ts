// What happens when nobody reads the output any more: a reader that closed its pipe, or a terminal that is gone.
import process from 'node:process';

/** EIO: the terminal has closed. */
const isGone = ({ code }: NodeJS.ErrnoException): boolean => code === 'EPIPE' || code === 'EIO';

/** Goes on without a reader: what was to be shown is lost, the work is not. */
export function outliveReader(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!isGone(error)) throw error;
    });
  }
}

/** Ends the process in peace when the reader of its results has seen enough, as head does, unless it is stopping. */
export function endWithReader({ aborted }: { readonly aborted: () => boolean }): void {
  outliveReader([process.stderr]);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error;
    if (!aborted()) process.exit(0);
  });
}
