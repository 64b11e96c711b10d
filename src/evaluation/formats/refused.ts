// Files that are recognised only to say what to do with them: other frameworks' formats, each with the lines that convert it,
// and programs that no flag names.
import { basename } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { shellCommand } from '../../core/shell.ts';
import type { Found, ModelFormat } from './format.ts';

const PICKLE = 0x80;
const ZIP = [0x50, 0x4b, 0x03, 0x04];
const HDF5 = [0x89, 0x48, 0x44, 0x46];

const startsWith = ({ head }: Found, bytes: readonly number[]): boolean => bytes.every((byte, i) => head[i] === byte);

/** The name of the first file in a zip archive, as its header says; null for other files. */
function firstInZip(found: Found): string | null {
  const { head } = found;
  if (!startsWith(found, ZIP) || head.length < 30) return null;
  const length = head[26] + 256 * head[27];
  return new TextDecoder().decode(head.subarray(30, 30 + length));
}

/** The name that a converted file gets: that of the original without its extension. */
const nameOf = (path: string): string => basename(path).replace(/\.[^.]*$/, '') || 'model';

/** How TensorFlow's converter is installed and called. */
const converter = (inputFormat: string, outputFormat: string, from: string, to: string): string =>
  `pip install tensorflowjs\n${shellCommand('tensorflowjs_converter', `--input_format=${inputFormat}`, `--output_format=${outputFormat}`, from, to)}`;

/** An archive of Keras 3, `.keras`. */
export const kerasArchive: ModelFormat = {
  description: 'a .keras file of Keras',
  refused: true,
  recognises: (found) =>
    found.kind === 'file' &&
    (/\.keras$/i.test(found.path) || /^(metadata|config)\.json$|^model\.weights\.h5$/.test(firstInZip(found) ?? '')),
  load: async ({ path }) => {
    const saved = `${nameOf(path)}-saved-model`;
    const program = `import keras; keras.models.load_model(${JSON.stringify(path)}).export(${JSON.stringify(saved)})`;
    const python = shellCommand('python', '-c', program);
    throw new InputError(
      `${path} is an archive of Keras, which Equipoise does not read. Convert it to a GraphModel, where Keras and TensorFlow are installed:\n\n${python}\n${converter('tf_saved_model', 'tfjs_graph_model', saved, `${nameOf(path)}-tfjs`)}\n\nThen give the folder ${nameOf(path)}-tfjs.`,
    );
  },
};

/** A model of Keras in HDF5, `.h5`. */
export const kerasHdf5: ModelFormat = {
  description: 'an .h5 file of Keras',
  refused: true,
  recognises: (found) => found.kind === 'file' && (/\.(h5|hdf5)$/i.test(found.path) || startsWith(found, HDF5)),
  load: async ({ path }) => {
    if (/\.weights\.(h5|hdf5)$/i.test(path)) {
      const folder = nameOf(nameOf(path));
      throw new InputError(
        `${path} holds the weights of a Keras model, and not the model. Load them in the code that makes the model, and export it:\n\nmodel.load_weights(${JSON.stringify(path)})\nmodel.export(${JSON.stringify(`${folder}-saved-model`)})\n\nThen convert it to a GraphModel:\n\n${converter('tf_saved_model', 'tfjs_graph_model', `${folder}-saved-model`, `${folder}-tfjs`)}\n\nThen give the folder ${folder}-tfjs.`,
      );
    }
    throw new InputError(
      `${path} is an HDF5 file, which Equipoise does not read. Convert a model of Keras 2 to a LayersModel:\n\n${converter('keras', 'tfjs_layers_model', path, `${nameOf(path)}-tfjs`)}\n\nThen give the folder ${nameOf(path)}-tfjs. Save a model of Keras 3 by model.export(…) and convert that folder with --input_format=tf_saved_model.`,
    );
  },
};

const TFLITE = [0x54, 0x46, 0x4c, 0x33];

/** A flat buffer of TensorFlow Lite, `.tflite`. */
export const tensorflowLite: ModelFormat = {
  description: 'a .tflite file of TensorFlow Lite',
  refused: true,
  recognises: ({ kind, path, head }) =>
    kind === 'file' && (/\.tflite$/i.test(path) || TFLITE.every((byte, i) => head[4 + i] === byte)),
  load: async ({ path }) => {
    const onnx = `${nameOf(path)}.onnx`;
    throw new InputError(
      `${path} is a model of TensorFlow Lite, which Equipoise does not read. Convert it to ONNX:\n\npip install tf2onnx\n${shellCommand('python', '-m', 'tf2onnx.convert', '--opset', '17', '--tflite', path, '--output', onnx)}\n\nThen give ${onnx}. A quantised model has no gradients: take the one that it was made of.`,
    );
  },
};

/** A SavedModel of TensorFlow: a folder with `saved_model.pb`. */
export const savedModel: ModelFormat = {
  description: 'a SavedModel of TensorFlow',
  refused: true,
  recognises: ({ kind, path, isSavedModel }) => isSavedModel || (kind === 'file' && /\.pb$/i.test(path)),
  load: async ({ path }) => {
    const folder = path.replace(/[\\/]?[^\\/]*\.pb$/i, '') || '.';
    throw new InputError(
      `${path} is a SavedModel of TensorFlow, which Equipoise does not read. Convert it to a GraphModel:\n\n${converter('tf_saved_model', 'tfjs_graph_model', folder, `${nameOf(folder)}-tfjs`)}\n\nThen give the folder ${nameOf(folder)}-tfjs.`,
    );
  },
};

/**
 * A file of `torch.save`: a pickle, alone or in a zip. It is a program that reading it would run, so it is never read.
 */
export const torchPickle: ModelFormat = {
  description: 'a .pt or .pth file of PyTorch',
  refused: true,
  recognises: (found) =>
    found.kind === 'file' &&
    (/\.(pt|pth|pkl|pickle|ckpt|tar)$/i.test(found.path) ||
      found.head[0] === PICKLE ||
      /\.pkl$/.test(firstInZip(found) ?? '')),
  load: async ({ path }) => {
    throw new InputError(
      `${path} is a pickle. Reading a pickle may run any code in it, so Equipoise does not read it. Convert it to safetensors, once, where PyTorch is installed (pip install torch safetensors):\n\n${conversion(path)}\nThen give the safetensors file. If torch.load refuses, the file holds more than weights: make it anew with torch.save(model.state_dict(), …) in the code that it comes from.`,
    );
  },
};

/** The lines of Python that make a safetensors file of a pickled state dict without running anything of it. */
export function conversion(path: string): string {
  const target = `${nameOf(path)}.safetensors`;
  return [
    'import torch',
    'from safetensors.torch import save_file',
    '',
    `state = torch.load(${JSON.stringify(path)}, map_location="cpu", weights_only=True)`,
    'for name in ("state_dict", "model_state_dict", "model", "net"):',
    '    if isinstance(state.get(name), dict):',
    '        state = state[name]',
    'tensors = {name: value.clone().contiguous() for name, value in state.items() if isinstance(value, torch.Tensor)}',
    `save_file(tensors, ${JSON.stringify(target)})`,
    '',
  ].join('\n');
}

/** A file of JavaScript is code, which is run only where the user names it as such. */
export const unnamedModule: ModelFormat = {
  description: 'an ES module that --module does not name',
  refused: true,
  recognises: ({ kind, path }) => kind === 'file' && /\.[cm]?[jt]s$/.test(path),
  load: async ({ path }) => {
    throw new InputError(`${path} is a program. Name it with --module to run it: --module ${path}`);
  },
};
