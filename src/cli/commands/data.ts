// The command that fetches, adds and describes data sets.
import { didYouMean } from '../../core/did-you-mean.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { untilAborted } from '../../core/until-aborted.ts';
import { addDataset } from '../../data/add.ts';
import { fetchDataset } from '../../data/fetch.ts';
import { type DatasetInfo, datasetInfo } from '../../data/info.ts';
import { waysToGet } from '../../data/load.ts';
import { RESAMPLINGS } from '../../data/pictures/resize.ts';
import {
  CROPS,
  type Prepared,
  type PrepareOptions,
  parseColour,
  parseSize,
  prepareFolder,
} from '../../data/prepare.ts';
import { addCorruptions, isCorruptionSet } from '../../data/sets/corruptions.ts';
import { datasetNames, datasetOf, fileSourceOf, isDownloaded } from '../../data/sets/datasets.ts';
import { formatTable } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { DATA_FLAGS } from '../flags/flags.ts';
import { byteSize } from '../terminal/format.ts';
import { byteRate, rateOf, showProgress } from '../terminal/progress-bar.ts';
import type { Terminal } from '../terminal/terminal.ts';

const ACTIONS = ['info', 'fetch', 'add', 'prepare'] as const;
type Action = (typeof ACTIONS)[number];

export const data = defineCommand({
  positionals: [
    {
      name: 'action',
      description: 'info [NAME], fetch NAME, add PATH or prepare PATH',
      required: true,
      choices: ACTIONS,
    },
    {
      name: 'what',
      description: 'the name of a data set, the folder or archive to add, or the folder of pictures to prepare',
      required: false,
      value: 'PATH',
      suggestions: datasetNames,
    },
  ],
  flags: {
    ...DATA_FLAGS,
    name: {
      kind: 'text',
      choices: datasetNames,
      description: 'add: the data set that the files belong to, if the files do not tell',
    },
    mirror: {
      kind: 'text',
      value: 'URL',
      description: 'fetch: download from this address instead; checksums stay those of the official files',
    },
    size: { kind: 'text', description: 'prepare: width and height of every picture, such as 64 or 64x48' },
    crop: {
      kind: 'text',
      choices: CROPS,
      description: 'prepare: center takes the middle (default), none stretches the whole picture',
    },
    resample: {
      kind: 'text',
      choices: RESAMPLINGS,
      description: 'prepare: filter for resizing; default: bilinear',
    },
    background: {
      kind: 'text',
      description: 'prepare: colour behind transparent pictures, such as white or #ff8000',
    },
    out: { kind: 'text', value: 'FOLDER', description: 'prepare: the folder to make' },
  },
  examples: [
    ['equipoise data info', 'what is there'],
    ['equipoise data fetch cifar10', 'download CIFAR-10 from its official host'],
    ['equipoise data add ~/cifar-10-batches-bin', 'take over files that are on disk'],
    ['equipoise data prepare photos --size 64 --background white --out photos64', 'bring pictures to one size'],
  ],
  async run({ positionals: [action, what], flags, json }, terminal) {
    const { data: directory, name, mirror } = flags;
    const show: Show = (infos, text) =>
      terminal.print(json ? JSON.stringify(infos, null, 2) : infos.map(text).join('\n'));
    const lock = { onWait: terminal.note, signal: terminal.signal };
    switch (readAction(action)) {
      case 'info':
        // It has nothing to save, so it ends at once.
        await untilAborted(
          what === undefined ? showAll(directory, show, terminal) : showOne(what, directory, show),
          terminal.signal,
        );
        return;
      case 'fetch':
        if (what === undefined)
          throw new UsageError('equipoise data fetch needs the name of a data set, such as cifar10.');
        show([await fetchShown(what, { directory, baseUrl: mirror }, terminal)], describe);
        return;
      case 'add':
        if (what === undefined) throw new UsageError('equipoise data add needs a folder or a .tar.gz of files to add.');
        if (name !== undefined && isCorruptionSet(name)) {
          const { corruptions, count, directory: into } = await addCorruptions(what, name, { directory, ...lock });
          const added = { name, corruptions, count, directory: into };
          terminal.print(
            json
              ? JSON.stringify(added, null, 2)
              : `${name}: ${corruptions.length} corruptions, ${count} images of each severity\n  in ${into}`,
          );
          return;
        }
        show([await addDataset(what, { directory, name, ...lock })], describe);
        return;
      case 'prepare': {
        const prepared = await prepareShown(what, flags, terminal);
        terminal.print(json ? JSON.stringify(prepared, null, 2) : describePrepared(prepared));
        return;
      }
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

/** Prints data sets, as JSON or as text. */
type Show = (infos: readonly DatasetInfo[], text: (info: DatasetInfo) => string) => void;

/**
 * Shows all data sets that are there.
 *
 * @throws InputError that names every damaged one, after the others are shown
 */
async function showAll(directory: string | undefined, show: Show, terminal: Terminal): Promise<void> {
  const infos: DatasetInfo[] = [];
  const absent: string[] = [];
  const damaged: string[] = [];
  for (const name of datasetNames.filter((name) => datasetOf(name).source.kind !== 'folder')) {
    try {
      const info = await datasetInfo(name, { directory });
      if (info === null) absent.push(name);
      else infos.push(info);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      damaged.push(`${name}: ${error.message}`);
    }
  }
  show(infos, describe);
  for (const [way, names] of [
    ['fetch NAME', absent.filter(isDownloaded)],
    ['add PATH --name NAME', absent.filter((name) => !isDownloaded(name))],
  ] as const) {
    if (names.length > 0) terminal.note(`not there: ${names.join(', ')} (equipoise data ${way})`);
  }
  if (damaged.length > 0) throw new InputError(damaged.join('\n'));
}

/** Shows one data set with the counts of its classes. */
async function showOne(name: string, directory: string | undefined, show: Show): Promise<void> {
  const info = await datasetInfo(name, { directory });
  const source = fileSourceOf(name);
  if (info === null) {
    throw new UsageError(`The files of ${name} are missing.${source === null ? '' : ` ${waysToGet(name, source)}`}`);
  }
  show([info], (found) => `${describe(found)}\n${classTable(found)}`);
}

async function fetchShown(
  name: string,
  options: { readonly directory?: string; readonly baseUrl?: string },
  terminal: Terminal,
): Promise<DatasetInfo> {
  datasetOf(name);
  const bar = await showProgress(terminal, byteRate);
  try {
    return await fetchDataset(name, {
      ...options,
      signal: terminal.signal,
      onWait: terminal.note,
      onRetry: ({ url, reason, seconds }) =>
        terminal.note(`${url} could not be reached or broke off (${reason}); trying again in ${seconds} s`),
      onProgress: ({ file, received, total }) => {
        const figures = `${byteSize(received)}${total === null ? '' : ` of ${byteSize(total)}`}`;
        bar.update(received, total ?? received + 1, file, figures);
      },
    });
  } catch (error) {
    if (terminal.signal.aborted && !(error instanceof InputError)) {
      terminal.note('What has arrived is kept; the same command goes on from there.');
    }
    throw error;
  } finally {
    bar.stop();
  }
}

/** Prepares a folder of pictures, and shows how far it is. */
async function prepareShown(
  source: string | undefined,
  { size, crop, resample, background, out }: PrepareFlags,
  terminal: Terminal,
): Promise<Prepared> {
  if (source === undefined || size === undefined || out === undefined) {
    throw new UsageError(
      'equipoise data prepare needs a folder of pictures, a size and a folder to make, as in: equipoise data prepare photos --size 64 --out photos64',
    );
  }
  const bar = await showProgress(terminal, rateOf('picture'));
  try {
    return await prepareFolder(source, out, {
      size: parseSize(size),
      crop: crop as PrepareOptions['crop'],
      resample: resample as PrepareOptions['resample'],
      background: background === undefined ? undefined : parseColour(background),
      signal: terminal.signal,
      onProgress: (done, total) => bar.update(done, total, 'pictures', `${done} of ${total}`),
    });
  } finally {
    bar.stop();
  }
}

type PrepareFlags = Partial<Record<'size' | 'crop' | 'resample' | 'background' | 'out', string>>;

const describePrepared = ({ directory, classes, train, test, enlarged }: Prepared): string =>
  [
    `${train} training and ${test} test images of ${classes.length} classes`,
    `  in ${directory}`,
    ...(enlarged > 0 ? [`${enlarged} of them were smaller and were enlarged`] : []),
    `next: equipoise ${train > 0 ? 'train' : 'evaluate MODEL'} --dataset folder --data ${directory}`,
  ].join('\n');

const describe = ({ label, imageShape, classes, train, test, directory, sha256 }: DatasetInfo): string =>
  `${label}: ${train} training and ${test} test images of ${imageShape.join('×')}, ${classes.length} classes; sha256 ${sha256.slice(0, 16)}…${directory === null ? '' : `\n  in ${directory}`}`;

/** The classes with their numbers of images. */
const classTable = ({ classes, trainByClass, testByClass }: DatasetInfo): string =>
  formatTable(
    ['class', 'training', 'test'],
    classes.map((name, k) => [name, String(trainByClass[k]), String(testByClass[k])]),
  );
