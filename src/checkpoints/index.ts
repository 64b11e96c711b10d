export { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
export { type LoadedModel, loadModel } from './load-model.ts';
export { decodeSafetensors, encodeSafetensors } from './safetensors/safetensors.ts';
export { restoreCheckpoint, type StoredCheckpoint } from './safetensors/stored.ts';
export type * from './types.ts';
