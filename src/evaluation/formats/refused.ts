import { basename } from 'node:path';
import { InputError } from '../../core/errors.ts';
import type { Found, ModelFormat } from './format.ts';

const PICKLE = 0x80;
const ZIP = [0x50, 0x4b, 0x03, 0x04];

/**
 * A file of `torch.save`: a pickle, alone or in a zip. It is a program that reading it would run, so it is never read.
 */
export const torchPickle: ModelFormat = {
  description: 'a .pt or .pth file of PyTorch',
  refused: true,
  recognises: ({ kind, path, head }: Found) =>
    kind === 'file' &&
    (/\.(pt|pth|pkl|pickle|ckpt|tar)$/i.test(path) || head[0] === PICKLE || ZIP.every((byte, i) => head[i] === byte)),
  load: async ({ path }) => {
    throw new InputError(
      `${path} is a pickle: to read it is to run what it holds, so Equipoise does not. Convert it to safetensors, once, where PyTorch is installed (pip install torch safetensors):\n\n${conversion(path)}\nThen give the safetensors file. If torch.load refuses, the file holds more than weights: make it anew with torch.save(model.state_dict(), …) in the code that it comes from.`,
    );
  },
};

/** The lines of Python that make a safetensors file of a pickled state dict without running anything of it. */
export function conversion(path: string): string {
  const target = `${basename(path).replace(/\.[^.]*$/, '')}.safetensors`;
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
