// What events.jsonl tells of a run: when and where it was trained, the losses of its steps, and a log for people. Lines that
// cannot be read are passed over: nothing is computed from them.

import { z } from 'zod';
import { jsonValue } from '../../core/parse-json.ts';

/** A step whose loss was kept. */
export interface StepLoss {
  readonly step: number;
  readonly loss: number;
}

/** A line for people. */
export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly text: string;
}

export interface RunHistory {
  /** Time of the first event and of the last one, in ISO 8601; null if there is none. */
  readonly started: string | null;
  readonly ended: string | null;
  /** The machines that trained, in order. */
  readonly machines: readonly string[];
  /** Number of batches in an epoch; null if it is not known. */
  readonly batches: number | null;
  /** Losses in the order of the steps, without steps of epochs that a collapse undid. */
  readonly steps: readonly StepLoss[];
  /** The last step that was reported, and its time. */
  readonly position: { readonly step: number; readonly time: string } | null;
  /** The first step since the last start or resume, with its time: rates count from here. */
  readonly since: { readonly step: number; readonly time: string } | null;
  readonly log: readonly LogLine[];
}

const finite = z.number();
const eventSchema = z.looseObject({
  kind: z.string(),
  time: z.iso.datetime(),
  epoch: finite.optional(),
  step: finite.optional(),
  loss: finite.nullish(),
  batches: finite.optional(),
  machine: z.string().optional(),
  message: z.string().optional(),
  returnsTo: finite.optional(),
  metrics: z
    .looseObject({
      train_loss: finite.nullish(),
      validation_clean_accuracy: finite.nullish(),
      validation_robust_accuracy: finite.nullish(),
    })
    .optional(),
});

type Event = z.infer<typeof eventSchema>;

/** The history of a run from the text of its events.jsonl; a last line without an end is still being written. */
export function parseHistory(text: string): RunHistory {
  const events = text.split('\n').slice(0, -1).flatMap(parseEvent);
  const placed = events.flatMap(({ kind, step, time }) => (step === undefined ? [] : [{ kind, step, time }]));
  const begun = placed.findLastIndex(({ kind }) => kind === 'start' || kind === 'resume');
  return {
    started: events[0]?.time ?? null,
    ended: events.at(-1)?.time ?? null,
    machines: [...new Set(events.flatMap(({ machine }) => machine ?? []))],
    batches: events.findLast(({ batches }) => batches !== undefined)?.batches ?? null,
    steps: stepsOf(events),
    position: placed.at(-1) ?? null,
    since: placed[begun] ?? null,
    log: events.flatMap((event) => {
      const words = inWords(event);
      return words === null ? [] : [{ time: event.time, text: words }];
    }),
  };
}

function parseEvent(line: string): Event[] {
  try {
    const parsed = eventSchema.safeParse(jsonValue(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}

/** After a collapse steps are counted from an earlier one again, and the losses in between are undone. */
function stepsOf(events: readonly Event[]): StepLoss[] {
  const steps: StepLoss[] = [];
  for (const { kind, step, loss } of events) {
    if (kind !== 'step' || step === undefined || loss === undefined || loss === null) continue;
    while (steps.length > 0 && steps[steps.length - 1].step >= step) steps.pop();
    steps.push({ step, loss });
  }
  return steps;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

/** An event as a line of the log; null for those that a log leaves out. */
function inWords({ kind, epoch, message, metrics }: Event): string | null {
  switch (kind) {
    case 'start':
      return 'training starts';
    case 'resume':
      return `training goes on after epoch ${epoch}`;
    case 'epoch': {
      const { train_loss: loss, validation_clean_accuracy: clean, validation_robust_accuracy: robust } = metrics ?? {};
      const parts = [
        `epoch ${epoch}`,
        typeof loss === 'number' && `loss ${loss.toFixed(3)}`,
        typeof clean === 'number' && `validation ${percent(clean)} clean`,
        typeof robust === 'number' && `${percent(robust)} robust`,
      ];
      return parts.filter(Boolean).join(', ');
    }
    case 'collapse':
    case 'failed':
      return message ?? kind;
    case 'warning':
      return `warning: ${message}`;
    case 'interrupted':
      return `interrupted after epoch ${epoch}`;
    case 'end':
      return 'training ends';
    default:
      return null;
  }
}
