import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { fetchDataset, fetchFiles, withoutDownload } from '../../src/data/fetch.ts';
import type { Checksum } from '../../src/data/files/checksum.ts';
import type { DownloadFailure, DownloadOptions, DownloadProgress } from '../../src/data/files/download.ts';
import { loadDataset } from '../../src/data/load.ts';
import { cifar10 } from '../../src/data/sets/cifar.ts';
import { datasetNames, fileSourceOf } from '../../src/data/sets/datasets.ts';
import type { FileSource } from '../../src/data/types.ts';
import { rejection } from '../rejection.ts';
import { tarGz } from './tar-gz.ts';

const cifar = fileURLToPath(new URL('../../../test/data/cifar10', import.meta.url));
const sha256 = (bytes: Uint8Array): Checksum => ({
  algorithm: 'sha256',
  digest: createHash('sha256').update(bytes).digest('hex'),
});

describe('fetching a data set', () => {
  let archive: Buffer;
  let source: FileSource;
  let directory: string;
  let server: Server | null = null;
  let requests: (string | undefined)[];
  /** Bytes that the download says it has. */
  let received = 0;

  /** Sends these bytes and breaks the connection once they have been read. */
  async function hangUpAfter(response: ServerResponse, bytes: Uint8Array): Promise<void> {
    received = 0;
    response.write(bytes);
    while (received < bytes.length) await delay(5);
    response.destroy();
  }

  before(async () => {
    const names = ['data_batch_1.bin', 'data_batch_2.bin', 'test_batch.bin'];
    const files = await Promise.all(names.map((name) => readFile(join(cifar, name))));
    archive = tarGz({
      'cifar-10-batches-bin/readme.html': Buffer.from('<html>'),
      ...Object.fromEntries(names.map((name, i) => [`cifar-10-batches-bin/${name}`, files[i]])),
    });
    source = {
      ...cifar10.source,
      checksums: Object.fromEntries(names.map((name, i) => [name, sha256(files[i])])),
    };
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-fetch-'));
    requests = [];
  });
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
    server = null;
    await rm(directory, { recursive: true });
  });

  /** Fetches from a server that answers its n-th request by the n-th listener, and later ones by the last. */
  async function fetchFrom(
    listeners: RequestListener[],
    {
      checksum = sha256(archive),
      ...options
    }: {
      checksum?: Checksum;
      stallMs?: number;
      attempts?: number;
      signal?: AbortSignal;
      onRetry?: DownloadOptions['onRetry'];
    } = {},
    onProgress: (progress: DownloadProgress) => void = () => {},
  ) {
    if (server === null) {
      server = createServer((request, response) => {
        requests.push(request.headers.range);
        listeners[Math.min(requests.length, listeners.length) - 1](request, response);
      });
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    }
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cifar-10-binary.tar.gz`;
    const downloads = [{ url, checksum, bytes: archive.length, unpack: 'tar.gz' as const }];
    return fetchFiles(
      'cifar10',
      { ...source, downloads },
      {
        directory,
        onProgress: (now) => {
          received = now.received;
          onProgress(now);
        },
        retryDelayMs: 1,
        attempts: 2,
        ...options,
      },
    );
  }

  const whole: RequestListener = (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start >= archive.length) {
      response.writeHead(416, { 'content-range': `bytes */${archive.length}` }).end();
      return;
    }
    const headers = { 'content-length': archive.length - start };
    if (start === 0) response.writeHead(200, headers);
    else
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${archive.length - 1}/${archive.length}`,
      });
    response.end(archive.subarray(start));
  };
  /** Promises everything and hangs up after `count` bytes. */
  const cutAfter =
    (count: number): RequestListener =>
    (_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      hangUpAfter(response, archive.subarray(0, count));
    };

  const nothingPublished = () => expect(existsSync(join(directory, 'cifar10'))).to.equal(false);

  it('downloads, checks and unpacks the archive, and leaves only the data set', async () => {
    const progress: DownloadProgress[] = [];
    const info = await fetchFrom([whole], {}, (now) => progress.push(now));
    expect(info).to.include({ name: 'cifar10', label: 'cifar10', official: true, train: 60, test: 20 });
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
    expect(await readdir(join(directory, 'cifar10'))).to.have.members([
      'data_batch_1.bin',
      'data_batch_2.bin',
      'test_batch.bin',
    ]);
    expect(progress.at(-1)).to.deep.equal({
      file: 'cifar-10-binary.tar.gz',
      received: archive.length,
      total: archive.length,
    });
    expect(progress.every(({ received }, i) => i === 0 || received > progress[i - 1].received)).to.equal(true);
    expect((await loadDataset('cifar10', { directory })).sha256).to.equal(info.sha256);
  });

  it('refuses a second download of a data set into the same folder at the same time', async () => {
    let finish = () => {};
    const half: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 50_000));
      finish = () => void response.end(archive.subarray(50_000));
    };
    let first: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve) => {
      first = fetchFrom([half], {}, () => resolve());
    });
    const refused = await rejection(fetchFrom([half]));
    expect(refused).to.be.instanceOf(InputError);
    expect(refused.message).to.match(/cifar10 in .* is in use by/);
    finish();
    await first;
    expect(requests).to.have.length(1);
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
  });

  it('asks for nothing when the official files are there', async () => {
    await fetchFrom([whole]);
    await fetchFrom([whole]);
    expect(requests).to.have.length(1);
  });

  it('goes on where a broken connection stopped', async () => {
    const progress: DownloadProgress[] = [];
    await fetchFrom([cutAfter(50_000), whole], {}, (now) => progress.push(now));
    expect(requests[0]).to.equal(undefined);
    expect(requests[1]).to.match(/^bytes=\d+-$/);
    expect(progress.at(-1)).to.deep.include({ received: archive.length, total: archive.length });
  });

  it('says why it tries again, and when', async () => {
    const failures: DownloadFailure[] = [];
    const silent: RequestListener = (_, response) => void response.writeHead(503).end();
    const error = await rejection(fetchFrom([silent], { attempts: 3, onRetry: (failure) => failures.push(failure) }));
    expect(error).to.be.instanceOf(InputError);
    expect(failures.map(({ reason, seconds }) => [reason, seconds])).to.deep.equal([
      ['HTTP 503 Service Unavailable', 0.002],
      ['HTTP 503 Service Unavailable', 0.004],
    ]);
  });

  it('goes on in a later call where an earlier one gave up, and publishes nothing before', async () => {
    const error = await rejection(
      fetchFrom([cutAfter(50_000), (_, response) => response.destroy(), (_, response) => response.destroy(), whole]),
    );
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/could not be downloaded \(.+\)\. \d+ bytes are kept; repeat the command/);
    nothingPublished();
    await fetchFrom([whole]);
    expect(requests.at(-1)).to.match(/^bytes=[1-9]\d*-$/);
  });

  it('starts again at a host that cannot resume', async () => {
    const ignoresRange: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': archive.length }).end(archive);
    };
    const info = await fetchFrom([cutAfter(50_000), ignoresRange]);
    expect(info.official).to.equal(true);
  });

  it('uses what is complete already although the host has no byte left to send', async () => {
    const unannounced: RequestListener = (_, response) => {
      response.writeHead(200);
      hangUpAfter(response, archive);
    };
    expect((await fetchFrom([unannounced, whole])).official).to.equal(true);
    expect(requests).to.deep.equal([undefined, `bytes=${archive.length}-`]);
  });

  it('gives up a connection that brings nothing, and tries again', async () => {
    const stalls: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 10));
    };
    expect((await fetchFrom([stalls, whole], { stallMs: 500, attempts: 10 })).official).to.equal(true);
  });

  it('waits for a slow host as long as something comes', async () => {
    const slow: RequestListener = async (_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      const step = Math.ceil(archive.length / 5);
      for (let start = 0; start < archive.length; start += step) {
        response.write(archive.subarray(start, start + step));
        await delay(200);
      }
      response.end();
    };
    await fetchFrom([slow], { stallMs: 800 });
    expect(requests).to.have.length(1);
  });

  it('keeps nothing of a file with another checksum, and names both', async () => {
    const expected = sha256(Buffer.from('another file'));
    const error = await rejection(fetchFrom([whole], { checksum: expected }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include(expected.digest).and.include(sha256(archive).digest);
    nothingPublished();
    expect(await readdir(join(directory, '.cifar10.partial'))).to.deep.equal(['files']);
  });

  it('discards a kept part of another version of the file', async () => {
    const foreign: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      hangUpAfter(response, Buffer.alloc(1000, 7));
    };
    await rejection(fetchFrom([foreign, (_, response) => response.destroy()], { attempts: 1 }));
    requests = [];
    server?.removeAllListeners('request').on('request', (request, response) => {
      requests.push(request.headers.range);
      whole(request, response);
    });
    expect((await fetchFrom([whole])).official).to.equal(true);
    expect(requests).to.deep.equal(['bytes=1000-', undefined]);
  });

  it('tries again after an error of the server, but not after a refusal', async () => {
    const answer =
      (status: number): RequestListener =>
      (_, response) =>
        response.writeHead(status).end();
    expect((await fetchFrom([answer(503), whole])).official).to.equal(true);
    await rm(join(directory, 'cifar10'), { recursive: true });
    requests = [];
    server?.removeAllListeners('request').on('request', (_, response) => {
      requests.push('refused');
      response.writeHead(404).end();
    });
    const error = await rejection(fetchFrom([]));
    expect(error.message).to.include('the host answered HTTP 404');
    expect(requests).to.deep.equal(['refused']);
  });

  it('asks for the whole file after a wrong part of it, and gives up in the end', async () => {
    const wrongPart: RequestListener = (_, response) => {
      response
        .writeHead(206, { 'content-range': `bytes 7-${archive.length - 1}/${archive.length}` })
        .end(archive.subarray(7));
    };
    expect((await fetchFrom([cutAfter(50_000), wrongPart, whole])).official).to.equal(true);
    expect(requests.map((range) => range !== undefined)).to.deep.equal([false, true, false]);
    await rm(join(directory, 'cifar10'), { recursive: true });
    requests = [];
    // Every second answer brings as much as before, which must not count as progress.
    server?.removeAllListeners('request').on('request', (request, response) => {
      requests.push(request.headers.range);
      (requests.length % 2 === 1 ? cutAfter(50_000) : wrongPart)(request, response);
    });
    const error = await rejection(fetchFrom([], { attempts: 3 }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include('could not be downloaded');
    expect(requests.length).to.be.below(8);
  });

  it('gives up on a host that refuses every part, whether or not something was kept', async () => {
    const refuses: RequestListener = (_, response) => void response.writeHead(416).end();
    const error = await rejection(fetchFrom([refuses]));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include('HTTP 416');
    requests = [];
    expect((await fetchFrom([]).catch((error: Error) => error)) as Error).to.be.instanceOf(InputError);
  });

  it('cuts off a body that is longer than the file, announced or not, and keeps nothing', async () => {
    const announced: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': archive.length + 1 }).end(Buffer.concat([archive, Buffer.of(0)]));
    };
    const endless: RequestListener = (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    };
    for (const answer of [announced, endless]) {
      const error = await rejection(fetchFrom([answer]));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(
        new RegExp(`gives (more than )?\\d+ bytes; expected ${archive.length}\\. .*nothing was kept`),
      );
      expect(await readdir(join(directory, '.cifar10.partial'))).to.deep.equal(['files']);
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
      server = null;
      requests = [];
    }
  });

  it('starts anew where what was kept and the rest are longer than the file', async () => {
    const tooMuch: RequestListener = (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]);
      response
        .writeHead(206, { 'content-range': `bytes ${start}-${archive.length - 1}/${archive.length}` })
        .end(archive);
    };
    expect((await fetchFrom([cutAfter(50_000), tooMuch, whole])).official).to.equal(true);
    expect(requests.map((range) => range !== undefined)).to.deep.equal([false, true, false]);
  });

  it('stops when asked to', async () => {
    const controller = new AbortController();
    const fetching = fetchFrom([cutAfter(1000), () => controller.abort()], { signal: controller.signal });
    expect((await rejection(fetching)).name).to.equal('AbortError');
    nothingPublished();
  });

  it('takes the files from a mirror when told to', async () => {
    const seen: (string | undefined)[] = [];
    server = createServer((request, response) => {
      seen.push(request.url);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror/`;
    await rejection(fetchDataset('mnist', { directory, baseUrl }));
    expect(seen).to.deep.equal(['/mirror/train-images-idx3-ubyte.gz']);
  });

  it('refuses a mirror that is no address', async () => {
    for (const baseUrl of ['mirror', 'file:///etc', '']) {
      expect(await rejection(fetchDataset('mnist', { directory, baseUrl }))).to.be.instanceOf(UsageError);
    }
  });

  it('says how to get a data set that has no download', () => {
    expect(withoutDownload('mine', { ...source, downloads: [] })).to.equal(
      'mine has no download. Add files that you have with `equipoise data add PATH --name mine`, or name their folder with --data.',
    );
  });

  it('says what can be downloaded', async () => {
    expect(await rejection(fetchDataset('mnist10k'))).to.be.instanceOf(UsageError);
    expect((await rejection(fetchDataset('mnist10k'))).message).to.include('comes with Equipoise');
    expect((await rejection(fetchDataset('imagenet' as string))).message).to.include(
      'cifar10, cifar100, svhn, mnist, fashion-mnist',
    );
  });

  it('knows an official address and checksum of every file it downloads', () => {
    const downloads = datasetNames.flatMap((name) => fileSourceOf(name)?.downloads ?? []);
    expect(downloads).to.be.an('array').that.is.not.empty;
    for (const { url, checksum, bytes } of downloads) {
      expect(bytes).to.be.above(4000);
      expect(new URL(url).protocol).to.match(/^https?:$/);
      expect(checksum.digest).to.match(/^[0-9a-f]{32,64}$/);
    }
  });
});
