// The command that builds the backend tensorflow from a Python wheel.
import { describeDevices, linkTensorflow, unlinkTensorflow } from '../../backends/link/link.ts';
import { UsageError } from '../../core/errors.ts';
import { defineCommand } from '../command.ts';

export const linkTensorflowCommand = defineCommand({
  positionals: [],
  flags: {
    python: { kind: 'text', value: 'FILE', description: 'the Python that has TensorFlow; default: python3' },
    'wheel-dir': {
      kind: 'text',
      value: 'FOLDER',
      description: 'a folder with an unpacked TensorFlow, instead of a Python',
    },
    gpu: { kind: 'switch', description: 'link @tensorflow/tfjs-node-gpu, and fail unless TensorFlow sees a GPU' },
    undo: { kind: 'switch', description: 'remove the link, and restore what was there before' },
  },
  examples: [
    ['equipoise link-tensorflow --python tensorflow-env/bin/python', 'after pip install tensorflow-cpu there'],
    ['equipoise link-tensorflow --gpu', "after pip install 'tensorflow[and-cuda]'"],
    ['equipoise link-tensorflow --undo', 'leave the package as npm installed it'],
  ],
  async run({ flags, json }, terminal) {
    const { python, 'wheel-dir': wheelDirectory, gpu, undo } = flags;
    if (undo) {
      const others = Object.keys(flags).filter((name) => name !== 'undo');
      if (others.length > 0)
        throw new UsageError(
          `--undo takes no other flags, got --${others.join(', --')} too. Leave out the other flags.`,
        );
      const names = unlinkTensorflow();
      terminal.print(
        json
          ? JSON.stringify({ unlinked: names })
          : names.length > 0
            ? `${names.join(' and ')}: no longer linked.`
            : 'Nothing is linked.',
      );
      return;
    }
    if (python !== undefined && wheelDirectory !== undefined) {
      throw new UsageError('--python and --wheel-dir each say where TensorFlow is. Give one.');
    }
    const linked = await linkTensorflow({ python, wheelDirectory, gpu, say: terminal.note });
    terminal.print(
      json
        ? JSON.stringify(linked, null, 2)
        : `Linked TensorFlow ${linked.version}, which sees ${describeDevices(linked)}. Use it with --backend tensorflow.`,
    );
  },
});
