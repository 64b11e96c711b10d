// A server of one page for this machine alone. It answers on the loopback address, to requests that name it as their host, with
// the page, its parts and its tables; it reads no other file for anybody and takes nothing in.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, resolve } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { isSystemError } from '../../core/system-errors.ts';
import type { Html } from '../page/html.ts';
import type { Origin } from '../page/page.ts';
import { collectReport, type ReportData } from '../report-data.ts';
import { findRuns } from '../runs/runs.ts';
import { formatEpochsToAccuracy } from '../tables/epochs-to-accuracy.ts';
import { formatResults } from '../tables/results.ts';
import { formatSummary } from '../tables/summary.ts';
import { cachedReader } from './cached-runs.ts';
import { LIVE_POLICY, renderLive, renderLivePage, renderReport, type Seen } from './live-page.ts';

const LOOPBACK = '127.0.0.1';

/** Tables that the page links to, made of what was read last. */
const TABLES: Readonly<Record<string, (data: ReportData) => string>> = {
  'results.csv': ({ results }) => formatResults(results),
  'summary.csv': ({ cells }) => formatSummary(cells),
  'epochs-to-accuracy.csv': ({ epochs }) => formatEpochsToAccuracy(epochs),
};

export interface WatchOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly title?: string;
  /** The command that made the page. */
  readonly command?: string;
  /** How often the folder is looked at; default 1 s. */
  readonly everyMs?: number;
  /** The report below what runs now is drawn anew at most so often; default 15 s. */
  readonly reportEveryMs?: number;
}

export interface Watching {
  /** The page's address. */
  readonly url: string;
  /** Ends all connections, and the server. */
  close(): Promise<void>;
}

/**
 * Serves the page of a folder's runs on the loopback address, and tells its readers by server-sent events when it has changed.
 *
 * @throws InputError if the port is taken
 */
export async function watchFolder(folder: string, options: WatchOptions): Promise<Watching> {
  const { title = `Runs in ${basename(resolve(folder))}`, command, everyMs = 1000, reportEveryMs = 15_000 } = options;
  const origin: Origin = { command, files: Object.keys(TABLES) };
  const read = cachedReader();
  const readers = new Set<ServerResponse>();
  let state = await look();
  let drawn: { readonly stamp: string; readonly report: Promise<Html | null> } | null = null;
  let told = { stamp: state.stamp, at: 0 };

  async function look(): Promise<State> {
    const seen = await see(folder, title, read);
    return { seen, live: await renderLive(seen), stamp: stampOf(seen) };
  }

  /** The report is drawn when somebody asks for it, since that takes a while. */
  const report = (): Promise<Html | null> => {
    if (drawn?.stamp !== state.stamp) drawn = { stamp: state.stamp, report: renderReport(state.seen, origin) };
    return drawn.report;
  };

  const tell = (event: string, data: unknown) => {
    for (const reader of readers) reader.write(eventOf(event, data));
  };

  const refresh = async () => {
    const before = state;
    const now = await look();
    state = now;
    if (now.live.text !== before.live.text) tell('live', now.live.text);
    if (now.stamp !== told.stamp && Date.now() - told.at >= reportEveryMs) {
      told = { stamp: now.stamp, at: Date.now() };
      tell('report', null);
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/events') {
      send(response, 200, 'text/event-stream');
      response.write('retry: 2000\n\n');
      if (readers.size === 0) await refresh();
      // A reader may have missed any number of changes since its page was made.
      response.write(eventOf('live', state.live.text));
      readers.add(response);
      request.on('close', () => readers.delete(response));
      return;
    }
    if (readers.size === 0) await refresh();
    if (path === '/') {
      send(response, 200, 'text/html; charset=utf-8').end(renderLivePage(title, state.live, await report()));
    } else if (path === '/body') {
      send(response, 200, 'text/html; charset=utf-8').end((await report())?.text ?? '');
    } else if (Object.hasOwn(TABLES, path.slice(1)) && 'data' in state.seen) {
      send(response, 200, 'text/csv; charset=utf-8').end(TABLES[path.slice(1)](state.seen.data));
    } else {
      send(response, 404, 'text/plain').end('Not found.\n');
    }
  };

  const server = createServer((request, response) => {
    const refusal = refuse(request, (server.address() as AddressInfo).port);
    if (refusal !== null) {
      send(response, refusal.status, 'text/plain').end(`${refusal.message}\n`);
      return;
    }
    answer(request, response).catch((error) => {
      if (!response.headersSent) send(response, 500, 'text/plain');
      response.end(`${(error as Error).message}\n`);
    });
  });
  const port = await listen(server, options.port);

  let closed = false;
  const loop = async () => {
    while (!closed) {
      await new Promise((later) => setTimeout(later, everyMs).unref());
      if (readers.size > 0 && !closed) await refresh();
    }
  };
  void loop();
  return {
    url: `http://${LOOPBACK}:${port}/`,
    close: async () => {
      closed = true;
      for (const reader of readers) reader.end();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

const eventOf = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** What was seen last. */
interface State {
  readonly seen: Seen;
  readonly live: Html;
  /** Equal while the report is the same. */
  readonly stamp: string;
}

async function see(folder: string, title: string, read: ReturnType<typeof cachedReader>): Promise<Seen> {
  try {
    const { runs, leftOut } = await findRuns(folder, undefined, read);
    return { data: collectReport(runs, title, { leftOut }) };
  } catch (error) {
    if (error instanceof InputError || isSystemError(error)) return { problem: error.message };
    throw error;
  }
}

/** What a report shows of runs; their steps and logs are not in it. */
const stampOf = (seen: Seen): string =>
  'data' in seen
    ? JSON.stringify(
        seen.data.runs.map(({ name, last, metrics, evaluations, writer }) => [
          name,
          last?.epoch,
          metrics.length,
          evaluations.map(({ target, attacks, clean }) => [target.sha256, attacks.length, clean.n]),
          writer?.name,
        ]),
      )
    : seen.problem;

/** Why a request is not answered; null if it is. Other sites reach a local server only under names of theirs. */
function refuse(
  { method, headers: { host } }: IncomingMessage,
  port: number,
): { status: number; message: string } | null {
  if (host !== `${LOOPBACK}:${port}` && host !== `localhost:${port}`) {
    return { status: 403, message: `Expected the host ${LOOPBACK}:${port}.` };
  }
  return method === 'GET' ? null : { status: 405, message: 'Expected GET.' };
}

const send = (response: ServerResponse, status: number, type: string): ServerResponse =>
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Security-Policy': LIVE_POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  });

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((ready, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'EADDRINUSE' || error.code === 'EACCES'
          ? new InputError(
              `Port ${port} of ${LOOPBACK} cannot be used (${error.code}). Choose another with --port, or leave it out.`,
              { cause: error },
            )
          : error,
      ),
    );
    server.listen(port, LOOPBACK, () => ready((server.address() as AddressInfo).port));
  });
