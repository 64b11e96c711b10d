// The connection to a queue: opened once its server has been found fit for it.
import { isIP } from 'node:net';
import type { Queue, Worker } from 'bullmq';
import type { Redis, RedisOptions } from 'ioredis';
import { InputError } from '../../core/errors.ts';
import { PASSWORD_VARIABLE, type QueueAddress, showAddress } from './address.ts';
import { loadQueuePackages } from './packages.ts';

/** Keys of the queue begin with `equipoise:`, so that a user of the server can be restricted to them. */
const PREFIX = 'equipoise';
const NAME = 'runs';
/** The set of the ids of cancelled jobs. */
export const CANCELLED_KEY = `${PREFIX}:cancelled`;
/** The key that exists while a worker holds a job. */
export const lockKeyOf = (id: string): string => `${PREFIX}:${NAME}:${id}:lock`;

const CONNECT_TIMEOUT_MS = 10_000;

/** A queue that is open. */
export interface OpenQueue {
  readonly address: QueueAddress;
  readonly queue: Queue;
  readonly redis: Redis;
  /** A worker that takes jobs one by one; the caller closes it. */
  openWorker(times: WorkerTimes): Worker;
  /** An error that takes a job out of the queue for good. */
  finalError(message: string): Error;
  close(): Promise<void>;
}

export interface WorkerTimes {
  /** How long a job stays a worker's after its last sign of life. */
  readonly lockMs: number;
}

/** Preemptions and frozen machines are no failures of a run, so a job may lose its worker as often as it likes. */
const MAX_STALLED = 1_000_000;

/** The longest that an idle worker waits for a job before it asks again, in seconds. */
const POLL_SECONDS = 2;

/**
 * Connects to a queue. A connection that is lost later is made again, as often as it takes.
 *
 * @param onConnection called when the connection is lost, and when it is restored
 * @throws InputError if the packages are missing, no server answers, it refuses, or it is not fit for a queue
 */
export async function openQueue(
  address: QueueAddress,
  onConnection: (message: string) => void = () => {},
): Promise<OpenQueue> {
  const { bullmq, Redis } = await loadQueuePackages();
  await checkServer(address, Redis);
  const where = showAddress(address);
  const redis = new Redis({
    ...optionsOf(address),
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(100 * 2 ** times, 5_000),
  });
  watchConnection(redis, where, onConnection);
  const base = { connection: redis, prefix: PREFIX };
  const queue = new bullmq.Queue(NAME, base);
  queue.on('error', () => {});
  return {
    address,
    queue,
    redis,
    openWorker: ({ lockMs }) => {
      const worker = new bullmq.Worker(NAME, null, {
        ...base,
        autorun: false,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        maxStalledCount: MAX_STALLED,
        drainDelay: POLL_SECONDS,
      });
      // The connection is watched above; what a command is refused is thrown where it is called.
      worker.on('error', () => {});
      return worker;
    },
    finalError: (message) => new bullmq.UnrecoverableError(message),
    close: async () => {
      await queue.close().catch(() => {});
      redis.disconnect();
    },
  };
}

const optionsOf = ({ host, port, database, tls, username, password }: QueueAddress): RedisOptions => ({
  host,
  port,
  db: database,
  connectTimeout: CONNECT_TIMEOUT_MS,
  keepAlive: 30_000,
  // The name of a certificate is that of a host; an address of numbers is no name.
  ...(tls && { tls: isIP(host) === 0 ? { servername: host } : {} }),
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password }),
});

function watchConnection(redis: Redis, where: string, tell: (message: string) => void): void {
  let lost = false;
  redis.on('error', () => {});
  redis.on('reconnecting', () => {
    if (!lost) tell(`The connection to ${where} is lost; runs go on, and it is tried again.`);
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) tell(`The connection to ${where} is there again.`);
    lost = false;
  });
}

/**
 * True if a server answers and can hold a queue.
 *
 * @throws InputError that says what is wrong with it and what to do
 */
async function checkServer(address: QueueAddress, Client: typeof Redis): Promise<void> {
  const where = showAddress(address);
  const redis = new Client({
    ...optionsOf(address),
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  let first: Error | undefined;
  redis.on('error', (error: Error) => {
    first ??= error;
  });
  try {
    await redis.connect();
    // The client goes on with database 0 if the server does not have the one that it is to use.
    if (address.database !== 0) await redis.select(address.database);
    checkInfo(await redis.info(), where);
  } catch (error) {
    if (error instanceof InputError) throw error;
    // biome-ignore lint/style/useErrorCause: the client's errors carry its commands, and so the password.
    throw new InputError(explain(first ?? (error as Error), address));
  } finally {
    redis.disconnect();
  }
}

/** The oldest version of Redis whose commands BullMQ uses. */
const OLDEST = [6, 2] as const;

/**
 * Refuses a server by what its command INFO says.
 *
 * @throws InputError if it is too old, or if it may remove keys of the queue when its memory is full
 */
export function checkInfo(info: string, where: string): void {
  const fields = new Map(info.split(/\r?\n/).map((line) => line.split(':', 2) as [string, string]));
  const version = fields.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new InputError(
      `A queue needs Redis 6.2 or later, or Valkey; the server at ${where} is version ${version || 'unknown'}. Use a newer one.`,
    );
  }
  const policy = fields.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    throw new InputError(
      `The server at ${where} removes keys when its memory is full (maxmemory-policy ${policy}), so it would lose runs without a message. Set it with: redis-cli CONFIG SET maxmemory-policy noeviction`,
    );
  }
}

/** What is wrong with a connection, and what to do. ioredis's errors carry the commands, so only codes and words are used. */
export function explain(error: Error, address: QueueAddress): string {
  const where = showAddress(address);
  const { message, code } = error as NodeJS.ErrnoException;
  const hint = `Give the password in ${PASSWORD_VARIABLE}, or user and password in the address.`;
  if (/^NOAUTH/.test(message)) return `The server at ${where} wants a password. ${hint}`;
  if (/^(WRONGPASS|ERR (AUTH|invalid password))/.test(message)) {
    return `The server at ${where} does not accept the user or the password. ${hint}`;
  }
  if (/^NOPERM/.test(message)) {
    return `The user of the queue at ${where} lacks a permission: it needs all commands on the keys ${PREFIX}:*, and INFO. Ask who runs the server.`;
  }
  if (/^ERR (DB index|invalid DB)/.test(message)) {
    return `The server at ${where} has no database ${address.database}. Leave it out, or name one that exists.`;
  }
  if (code !== undefined && ['ENOTFOUND', 'EAI_AGAIN'].includes(code)) {
    return `There is no host ${address.host}. Check the address of the queue.`;
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|certificate/i.test(`${code} ${message}`)) {
    return `The server at ${where} has a certificate that this machine does not accept (${code ?? message}). Give the file of the authority that signed it in NODE_EXTRA_CA_CERTS, and the host by the name in the certificate.`;
  }
  if (/Protocol error|ERR_SSL|SSL routines|wrong version number|ECONNRESET/i.test(`${code} ${message}`)) {
    return `What answers at ${where} does not speak as a queue's server does (${code ?? 'protocol error'}). Check host and port, and whether it is encrypted (rediss://) or not (redis://).`;
  }
  const unencrypted = address.tls ? ' A server without encryption does not answer at rediss://, only at redis://.' : '';
  return `No server answers at ${where} (${code ?? 'no answer in time'}). Start Redis or Valkey there, or check the address.${unencrypted}`;
}
