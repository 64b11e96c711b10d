// What accuracies and norms look like in files, for reading them.

import { z } from 'zod';
import { norms } from '../../../attacks/index.ts';
import type { NormName } from '../../../attacks/types.ts';
import { wilson } from '../intervals.ts';

const share = z.number().min(0).max(1);

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9;

export const accuracySchema = z
  .object({ value: share, correct: z.int().min(0), n: z.int().positive(), low: share, high: share })
  .refine(({ correct, n }) => correct <= n, { path: ['correct'], message: 'expected at most n' })
  .refine(({ value, correct, n }) => near(value, correct / n), { path: ['value'], message: 'expected correct / n' })
  .refine(
    ({ correct, n, low, high }) =>
      correct > n || (near(low, wilson(correct, n).low) && near(high, wilson(correct, n).high)),
    {
      path: ['low'],
      message: "expected Wilson's interval of correct and n",
    },
  );

export const normSchema = z.enum(Object.keys(norms) as [NormName, ...NormName[]]);
