export { type Augmentation, MAX_SHIFT, type Placement, placement } from './augment.ts';
export { type BatchOptions, batchesOf, batchImages, batchLabels, epochBatches } from './batch.ts';
export { dataDirectory } from './directory.ts';
export {
  checkTestSplit,
  type DatasetName,
  datasetLabel,
  datasets,
  type FileDatasetName,
  type LoadOptions,
  loadDataset,
} from './load.ts';
export { balanced, type TrainingIndices, testIndices, trainingIndices } from './split.ts';
export { type SyntheticOptions, synthetic } from './synthetic.ts';
export type * from './types.ts';
