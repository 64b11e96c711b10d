export { renderPage } from './page/page.ts';
export { countFallen, type ExampleFiles, formatDistance, writeExamples } from './pictures/examples.ts';
export { drawGallery, type Gallery, type GalleryNet, type GalleryOptions } from './pictures/gallery.ts';
export { type Report, type ReportOptions, writeReport } from './report.ts';
export { collectReport, headlineCells, type ReportData, type ReportGroup, type Threat } from './report-data.ts';
export { findRuns, isComplete, type LeftOut, type RunRecord, readRuns } from './runs.ts';
export { type Estimate, type PairedDifference, pairedDifference } from './statistics/paired-difference.ts';
export {
  holm,
  mean,
  smallestDetectable,
  standardDeviation,
  studentQuantile,
  studentTails,
} from './statistics/statistics.ts';
export { type Comparison, comparisonsOf } from './tables/comparisons.ts';
export { type EpochsToAccuracy, epochsToAccuracy, formatEpochsToAccuracy } from './tables/epochs-to-accuracy.ts';
export { resultRows } from './tables/result-rows.ts';
export { formatResults, parseResults, RESULT_COLUMNS, type ResultColumn, type ResultRow } from './tables/results.ts';
export { formatSummary, SUMMARY_COLUMNS, type SummaryCell, summarize } from './tables/summary.ts';
export {
  formatAccuracy,
  formatDifference,
  formatDifferences,
  formatSparsity,
  formatSpread,
  formatSummaryTable,
  formatTable,
  percent,
} from './tables/table.ts';
