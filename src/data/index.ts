export { type AddOptions, addDataset } from './add.ts';
export { type Augmentation, MAX_SHIFT, type Placement, placement } from './augment.ts';
export { type BatchOptions, batchesOf, batchImages, batchLabels, epochBatches } from './batch.ts';
export { dataDirectory } from './directory.ts';
export type { DownloadProgress } from './download.ts';
export { type FetchOptions, fetchDataset } from './fetch.ts';
export { type DatasetInfo, datasetInfo } from './info.ts';
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
