// The table of all operators by name. To add one, write its function beside those of its kind.
import type { Operator } from '../call.ts';
import { activationOperators } from './activations.ts';
import { convolutionOperators } from './convolution.ts';
import { elementwiseOperators } from './elementwise.ts';
import { indexingOperators } from './indexing.ts';
import { linearOperators } from './linear.ts';
import { normalizationOperators } from './normalization.ts';
import { poolingOperators } from './pooling.ts';
import { reductionOperators } from './reductions.ts';
import { resizeOperators } from './resize.ts';
import { selectionOperators } from './selection.ts';
import { shapeOperators } from './shapes.ts';

export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>(
  Object.entries({
    ...elementwiseOperators,
    ...activationOperators,
    ...convolutionOperators,
    ...poolingOperators,
    ...normalizationOperators,
    ...linearOperators,
    ...reductionOperators,
    ...shapeOperators,
    ...selectionOperators,
    ...indexingOperators,
    ...resizeOperators,
  }),
);
