// The parent of the process that parses damaged inputs: it ends that process where an input takes too long or too much
// memory, and starts another.
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { foldIn, integers, type Key } from '../../src/core/key.ts';
import type { FuzzReply, FuzzRequest } from './child.ts';
import { mutate } from './mutate.ts';
import type { FuzzedParser } from './parser.ts';
import { parsers } from './parsers.ts';

const LOOK_EVERY_MS = 50;

/** What one input may take. */
export interface FuzzLimits {
  /** The limit in seconds of processor time. The limit of the clock is twenty times as long, since other programs take turns. */
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

/** What a process has taken. */
interface Usage {
  /** Bytes of memory now. */
  readonly memory: number;
  /** Seconds of the processor since it started. */
  readonly seconds: number;
}

/** The usage of a process; null if the system does not tell. */
async function usageOf({ pid }: ChildProcess): Promise<Usage | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { memory: Number(fields[21]) * 4096, seconds: ticks / 100 };
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
    const { peak: first } = await new Promise<FuzzReply>((resolve, reject) => {
      started.once('message', resolve as () => void);
      started.once('exit', (code) =>
        reject(new Error(`The process that parses ended at its start, with code ${code}.`)),
      );
    });
    started.removeAllListeners();
    peak = first;
    return started;
  };

  const attempt = async (request: FuzzRequest): Promise<FuzzOutcome> => {
    child ??= await start();
    const running = child;
    const before = await usageOf(running);
    const memoryBefore = before?.memory ?? peak;
    return new Promise((resolve) => {
      let ended = false;
      const end = (outcome: FuzzOutcome) => {
        if (ended) return;
        ended = true;
        clearTimeout(clock);
        clearInterval(look);
        running.removeAllListeners();
        if (outcome.outcome === 'killed') stop();
        resolve(outcome);
      };
      const tooLong = () => end({ outcome: 'killed', text: `took ${seconds} s` });
      const tooMuch = (now: number) => {
        end({ outcome: 'killed', text: `took ${Math.round((now - memoryBefore) / 2 ** 20)} MB more` });
      };
      const clock = setTimeout(tooLong, 20_000 * seconds);
      const look = setInterval(async () => {
        const now = await usageOf(running);
        if (now === null) return;
        if (now.memory - memoryBefore > growth) tooMuch(now.memory);
        if (now.seconds - (before?.seconds ?? 0) > seconds) tooLong();
      }, LOOK_EVERY_MS);
      running.once('message', (reply: FuzzReply) => {
        // A peak above all earlier ones belongs to this input.
        const grown = reply.peak > peak && reply.peak - memoryBefore > growth;
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
