// The parent of the process that parses damaged inputs: it ends that process where an input takes too long or too much
// memory, and starts another.
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { foldIn, integers, type Key } from '../../src/core/key.ts';
import type { FuzzReply, FuzzRequest } from './child.ts';
import { mutate } from './mutate.ts';
import { type FuzzedParser, parsers } from './parsers.ts';

const LOOK_EVERY_MS = 50;

/** What one input may take. */
export interface FuzzLimits {
  readonly seconds: number;
  /** Bytes of memory. */
  readonly growth: number;
}

export const FUZZ_LIMITS: FuzzLimits = { seconds: 5, growth: 512 * 2 ** 20 };

export interface FuzzOutcome {
  /** `killed`: by the parent, or by the process itself. */
  readonly outcome: 'accepted' | 'refused' | 'fault' | 'killed';
  readonly text: string;
}

/** Parses inputs in another process. */
export interface Fuzzer {
  try(request: FuzzRequest): Promise<FuzzOutcome>;
  stop(): void;
}

/** Bytes of memory that a process takes; null where that cannot be read. */
async function memoryOf(pid: number): Promise<number | null> {
  try {
    const pages = Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]);
    return pages * 4096;
  } catch {
    return null;
  }
}

export function startFuzzer({ seconds, growth }: FuzzLimits = FUZZ_LIMITS): Fuzzer {
  let child: ChildProcess | null = null;
  let peak = 0;

  const stop = () => {
    child?.removeAllListeners();
    child?.kill('SIGKILL');
    child = null;
  };

  const start = async (): Promise<ChildProcess> => {
    const started = fork(fileURLToPath(new URL('child.js', import.meta.url)), { serialization: 'advanced' });
    const { peak: first } = await new Promise<FuzzReply>((resolve) => started.once('message', resolve as () => void));
    peak = first;
    return started;
  };

  const attempt = async (request: FuzzRequest): Promise<FuzzOutcome> => {
    child ??= await start();
    const running = child;
    const before = (await memoryOf(running.pid as number)) ?? peak;
    return new Promise((resolve) => {
      const end = (outcome: FuzzOutcome) => {
        clearTimeout(clock);
        clearInterval(look);
        running.removeAllListeners();
        if (outcome.outcome === 'killed') stop();
        resolve(outcome);
      };
      const tooMuch = (now: number) => {
        const megabytes = Math.round((now - before) / 2 ** 20);
        end({ outcome: 'killed', text: `took ${megabytes} MB more` });
      };
      const clock = setTimeout(() => end({ outcome: 'killed', text: `took ${seconds} s` }), 1000 * seconds);
      const look = setInterval(async () => {
        const now = await memoryOf(running.pid as number);
        if (now !== null && now - before > growth) tooMuch(now);
      }, LOOK_EVERY_MS);
      running.once('message', (reply: FuzzReply) => {
        // A peak above all earlier ones belongs to this input.
        const grown = reply.peak > peak && reply.peak - before > growth;
        peak = Math.max(peak, reply.peak);
        if (grown) tooMuch(peak);
        else end({ outcome: reply.outcome as FuzzOutcome['outcome'], text: reply.text });
      });
      running.once('exit', (code, signal) => {
        end({ outcome: 'killed', text: `ended with ${signal ?? `exit code ${code}`}` });
      });
      running.send(request);
    });
  };

  return { try: attempt, stop };
}

/** The n-th damaged input of a parser under a key. */
export function inputOf({ seeds, pack }: FuzzedParser, key: Key, n: number): Uint8Array {
  const own = foldIn(key, n);
  const [seed, other] = integers(foldIn(own, 'seeds'), 2, seeds.length);
  const bytes = mutate(seeds[seed], seeds[other], foldIn(own, 'damage'));
  return pack === undefined ? bytes : pack(bytes);
}

export const parserNames = Object.keys(parsers);
