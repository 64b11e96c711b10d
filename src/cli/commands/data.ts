import { join } from 'node:path';
import { withLock } from '../../checkpoints/lock/lock.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { addDataset } from '../../data/add.ts';
import { fetchDataset } from '../../data/fetch.ts';
import { dataDirectory } from '../../data/files/directory.ts';
import { type DatasetInfo, datasetInfo } from '../../data/info.ts';
import { datasetNames, datasetOf } from '../../data/sets/datasets.ts';
import { defineCommand } from '../command.ts';
import { byteSize } from '../terminal/format.ts';
import { byteRate, showProgress } from '../terminal/progress-bar.ts';
import type { Terminal } from '../terminal/terminal.ts';

const ACTIONS = ['info', 'fetch', 'add'] as const;
type Action = (typeof ACTIONS)[number];

export const data = defineCommand({
  positionals: [
    { name: 'action', description: 'info [NAME], fetch NAME or add PATH', required: true },
    { name: 'what', description: 'the name of a data set, or the folder or archive to add', required: false },
  ],
  flags: {
    data: { kind: 'text', description: 'folder of the data sets, or of your own images' },
    name: { kind: 'text', description: 'add: which data set the files are of, where they do not tell' },
    mirror: { kind: 'text', description: 'fetch: take the files from below this address; checksums stay' },
  },
  examples: [
    ['equipoise data info', 'what is there'],
    ['equipoise data info mnist10k', 'its classes, and how many images each has'],
    ['equipoise data fetch cifar10', 'download CIFAR-10 from its official host'],
    ['equipoise data add ~/cifar-10-batches-bin', 'take over files that are on disk'],
  ],
  async run({ positionals: [action, what], flags: { data: directory, name, mirror }, json }, terminal) {
    const show = (infos: readonly DatasetInfo[], describe = summary) =>
      terminal.print(json ? JSON.stringify(infos, null, 2) : infos.map(describe).join('\n'));
    switch (readAction(action)) {
      case 'info':
        if (what === undefined) show(await allThere(directory, terminal));
        else show([await oneThere(what, directory)], withClasses);
        return;
      case 'fetch':
        if (what === undefined)
          throw new UsageError('equipoise data fetch needs the name of a data set, such as cifar10.');
        show([await fetchShown(what, { directory, baseUrl: mirror }, terminal)]);
        return;
      case 'add':
        if (what === undefined) throw new UsageError('equipoise data add needs a folder or a .tar.gz to take over.');
        show([await addDataset(what, { directory, name })]);
        return;
    }
  },
});

function readAction(given: string): Action {
  const action = ACTIONS.find((known) => known === given);
  if (action === undefined) {
    const near = didYouMean(given, ACTIONS);
    throw new UsageError(
      `equipoise data does not know ${given}. ${near ? `Did you mean ${near}?` : `It knows ${ACTIONS.join(', ')}.`}`,
    );
  }
  return action;
}

async function allThere(directory: string | undefined, terminal: Terminal): Promise<readonly DatasetInfo[]> {
  const infos: DatasetInfo[] = [];
  const absent: string[] = [];
  for (const name of datasetNames.filter((name) => datasetOf(name).source.kind !== 'folder')) {
    const info = await datasetInfo(name, { directory });
    if (info === null) absent.push(name);
    else infos.push(info);
  }
  if (absent.length > 0) terminal.note(`not there: ${absent.join(', ')} (equipoise data fetch NAME)`);
  return infos;
}

async function oneThere(name: string, directory: string | undefined): Promise<DatasetInfo> {
  const info = await datasetInfo(name, { directory });
  if (info === null) {
    throw new UsageError(
      `${name} is not there. Get it with equipoise data fetch ${name}, or take over files with equipoise data add PATH.`,
    );
  }
  return info;
}

async function fetchShown(
  name: string,
  options: { readonly directory?: string; readonly baseUrl?: string },
  terminal: Terminal,
): Promise<DatasetInfo> {
  datasetOf(name);
  const parent = dataDirectory(options.directory);
  const lock = {
    name: `the download of ${name} into ${parent}`,
    onWait: terminal.note,
    signal: terminal.signal,
  };
  const bar = await showProgress(terminal, byteRate);
  // Two processes that continue one partial file would mix their bytes.
  const work = () =>
    fetchDataset(name, {
      ...options,
      signal: terminal.signal,
      onRetry: ({ url, reason, seconds }) =>
        terminal.note(`${url} could not be reached or broke off (${reason}); trying again in ${seconds} s`),
      onProgress: ({ file, received, total }) => {
        const figures = `${byteSize(received)}${total === null ? '' : ` of ${byteSize(total)}`}`;
        bar.update(received, total ?? received + 1, file, figures);
      },
    });
  try {
    return await withLock(join(parent, `.${name}.lock`), lock, work);
  } finally {
    bar.stop();
  }
}

const summary = ({ label, imageShape, classes, train, test, directory, sha256 }: DatasetInfo): string =>
  `${label}: ${train} training and ${test} test images of ${imageShape.join('×')}, ${classes.length} classes; sha256 ${sha256.slice(0, 16)}…${directory === null ? '' : `\n  in ${directory}`}`;

/** The summary, and a line for each class. */
function withClasses(info: DatasetInfo): string {
  const { classes, perClass } = info;
  const rows = [
    ['class', 'training', 'test'],
    ...classes.map((name, i) => [name, String(perClass.train[i]), String(perClass.test[i])]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map(
    ([name, train, test]) => `  ${name.padEnd(widths[0])}  ${train.padStart(widths[1])}  ${test.padStart(widths[2])}`,
  );
  return [summary(info), ...lines].join('\n');
}
