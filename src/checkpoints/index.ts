export { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
export { type LoadedModel, loadModel } from './load-model.ts';
export { decodeSafetensors, encodeSafetensors } from './safetensors.ts';
export { restoreCheckpoint, type StoredCheckpoint } from './stored.ts';
export type * from './types.ts';
