export { type Comparison, comparisonsOf } from './comparisons.ts';
export { type EpochsToAccuracy, epochsToAccuracy, formatEpochsToAccuracy } from './epochs-to-accuracy.ts';
export { countFallen, type ExampleFiles, formatDistance, writeExamples } from './examples.ts';
export { drawGallery, type Gallery, type GalleryNet, type GalleryOptions } from './gallery.ts';
export { renderPage } from './page.ts';
export { type Estimate, type PairedDifference, pairedDifference } from './paired-difference.ts';
export { type Report, type ReportOptions, writeReport } from './report.ts';
export { collectReport, headlineCells, type ReportData, type ReportGroup, type Threat } from './report-data.ts';
export { resultRows } from './result-rows.ts';
export { formatResults, parseResults, RESULT_COLUMNS, type ResultColumn, type ResultRow } from './results.ts';
export { findRuns, isComplete, type LeftOut, type RunRecord, readRuns } from './runs.ts';
export {
  holm,
  mean,
  smallestDetectable,
  standardDeviation,
  studentQuantile,
  studentTails,
} from './statistics.ts';
export { formatSummary, SUMMARY_COLUMNS, type SummaryCell, summarize } from './summary.ts';
export {
  formatAccuracy,
  formatDifference,
  formatDifferences,
  formatSparsity,
  formatSpread,
  formatSummaryTable,
  formatTable,
  percent,
} from './table.ts';
