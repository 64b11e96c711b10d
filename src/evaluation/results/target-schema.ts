// What files of results say of a network and of its images, for reading them.
import { z } from 'zod';
import { FORMATS, type FormatName } from '../formats/index.ts';

/** A number of things. */
export const countSchema = z.int().min(0);
/** A share, 0 … 1. */
export const shareSchema = z.number().min(0).max(1);
/** A text that is not empty. */
export const textSchema = z.string().min(1);

/** The network that figures belong to. */
export const targetSchema = z.object({
  checkpoint: textSchema,
  format: z.enum(Object.keys(FORMATS) as [FormatName, ...FormatName[]]),
  sha256: textSchema,
  preprocessing: z.looseObject({}).nullable(),
  reading: z.looseObject({}).optional(),
  epoch: countSchema.nullable(),
  step: countSchema.nullable(),
  averaged: z.literal(true).optional(),
  sparsity: shareSchema.nullable(),
  nonzeros: countSchema.nullable(),
  flops: z.number().min(0).nullable(),
  bytes: countSchema,
});

/** The data set that they were measured on. */
export const datasetSchema = z.object({
  name: textSchema,
  sha256: textSchema,
  official: z.boolean(),
  classes: z.array(z.string()),
});
