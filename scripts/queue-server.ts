// A real server of queues, on loopback, with its data in a temporary folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** The process as it is now. */
  readonly process: ChildProcess;
  /** Starts it again after it was killed, with what it kept on disk if it keeps anything. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Starts a server and waits until it answers.
 *
 * @param settings by name, as the server's command line takes them, such as `{ requirepass: 'x' }`
 */
export async function startServer(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-server-'));
  const port = await freePort();
  const flags = Object.entries({ save: '', ...settings }).flatMap(([name, value]) => [`--${name}`, value]);
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(
      process.env.EQUIPOISE_TEST_REDIS ?? 'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...flags],
      { stdio: 'ignore' },
    );
    const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: null, retryStrategy: () => 50 });
    client.on('error', () => {});
    // Without the password the answer is an error, which is an answer.
    await client.ping().catch(() => {});
    client.disconnect();
    return child;
  };
  let child = await start();
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get process() {
      return child;
    },
    restart: async () => {
      await end();
      await delay(50);
      child = await start();
    },
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
