// The command that writes a network for other software.
import { basename, extname, join } from 'node:path';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { EXPORT_FORMATS, type ExportFormat, exportModel } from '../../evaluation/export.ts';
import { checkpointFiles } from '../../evaluation/targets/checkpoint-files.ts';
import { isFolder } from '../../files/folders.ts';
import { defineCommand } from '../command.ts';
import { BACKEND_FLAGS } from '../flags/flags.ts';
import { folderBeside } from '../folder-beside.ts';
import { startFromFlags } from '../start.ts';
import { byteSize } from '../terminal/format.ts';

const { backend, threads, 'size-limit': sizeLimit } = BACKEND_FLAGS;

/** What is appended to a checkpoint's name. */
const ENDINGS: { readonly [Format in ExportFormat]: string } = {
  compact: '-compact.safetensors',
  pytorch: '-pytorch.safetensors',
  layers: '-layers',
  onnx: '.onnx',
};

export const exportCommand = defineCommand({
  positionals: [
    {
      name: 'target',
      description: "a checkpoint, or a run's folder, to export its best checkpoint",
      required: true,
      value: 'PATH',
    },
  ],
  flags: {
    to: {
      kind: 'text',
      choices: EXPORT_FORMATS,
      description:
        'compact (a checkpoint of the nonzeros alone), pytorch (a state dict and its model.py), layers (a LayersModel) or onnx',
    },
    out: {
      kind: 'text',
      value: 'PATH',
      description: "file to write, or folder; default: in the folder export of the run's folder",
    },
    half: { kind: 'switch', description: 'compact: kernels in half precision (float16), two bytes for each weight' },
    backend,
    threads,
    'size-limit': sizeLimit,
  },
  endsAtOnce: true,
  examples: [
    ['equipoise export runs/NAME --to compact', 'the network alone, a fraction of the checkpoint'],
    ['equipoise export runs/NAME --to compact --half', 'the same with weights of two bytes'],
    ['equipoise export runs/NAME --to pytorch', 'weights for PyTorch, as safetensors, and model.py'],
    ['equipoise export runs/NAME --to onnx', 'an ONNX file'],
    ['equipoise export runs/NAME --to layers --out web/model', 'model.json and weights.bin for TensorFlow.js'],
  ],
  async run({ positionals: [target], flags, json }, terminal) {
    const to = readFormat(flags.to);
    const [checkpoint] = await checkpointFiles(target);
    const out = await placeOf(flags.out, to, checkpoint);
    await startFromFlags(flags, terminal);
    const { warnings, ...exported } = await exportModel(checkpoint, { to, out, half: flags.half });
    for (const warning of warnings) terminal.warn(warning);
    if (json) {
      terminal.print(JSON.stringify({ checkpoint, to, ...exported }, null, 2));
      return;
    }
    const { files, bytes, images, largestDifference } = exported;
    const agreement =
      largestDifference === 0
        ? 'equal those of the checkpoint'
        : `differ from those of the checkpoint by at most ${largestDifference.toExponential(1)}`;
    terminal.print([...files, `${byteSize(bytes)}; its logits on ${images} images ${agreement}`].join('\n'));
  },
});

/** Where the network goes: into a folder that exists under its usual name, else to the file or the new folder that is named. */
async function placeOf(out: string | undefined, to: ExportFormat, checkpoint: string): Promise<string> {
  const name = basename(checkpoint, '.safetensors') + ENDINGS[to];
  if (out === undefined) return join(folderBeside(checkpoint, 'export'), name);
  if (to === 'layers') return out;
  if (await isFolder(out)) return join(out, name);
  const ending = extname(name);
  if (extname(out) === ending) return out;
  throw new UsageError(
    `Expected --out as a folder that exists or a file whose name ends in ${ending}, got ${out}. Write --out ${join(out, name)} or --out ${out}${ending}.`,
  );
}

function readFormat(to: string | undefined): ExportFormat {
  const found = EXPORT_FORMATS.find((format) => format === to);
  if (found !== undefined) return found;
  throw new UsageError(
    `Expected --to as one of ${EXPORT_FORMATS.join(', ')}, got ${to ?? 'nothing'}.${suggestion(to && didYouMean(to, EXPORT_FORMATS))}`,
  );
}
