// Progress of a long piece of work: a bar at the foot of a terminal, or a line now and then where output is piped.
import { cutToFit, fits } from './fits.ts';
import { byteSize, duration } from './format.ts';
import type { Terminal } from './terminal.ts';

/** What a progress bar says. */
export interface Progress {
  /** @param figures further figures, such as a loss; '' for none */
  update(done: number, total: number, phase: string, figures: string): void;
  /** The name of the work under way, which is not counted. */
  phase(text: string): void;
  /** Counts the rate from here on, as after a resume. */
  startAt(done: number): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

/** Words for a rate, given in units a second. */
export type RateText = (perSecond: number) => string;

/** A rate such as `12 steps/s`, and for slow work the time of one, such as `2 min 10 s a step`. */
export const rateOf =
  (unit: string): RateText =>
  (perSecond) =>
    perSecond < 0.5
      ? `${duration(1 / perSecond)} a ${unit}`
      : `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(2)} ${unit}s/s`;

export const byteRate: RateText = (perSecond) => `${byteSize(perSecond)}/s`;

/** Piped output gets a line at most this often. */
const LINE_EVERY_MS = 30_000;
/** The bar is drawn at most this often, unless the phase changes. */
const DRAW_EVERY_MS = 100;
/** A rate says nothing before this time. */
const LEAST_SECONDS = 0.5;

const LONGEST_BAR = 24;
/** A shorter bar shows too little. */
const SHORTEST_BAR = 5;

/** The parts of a line of progress. */
export interface ProgressParts {
  readonly phase: string;
  /** Share of the work that is done, from 0 to 1. */
  readonly share: number;
  /** '' before a rate is known. */
  readonly rate: string;
  readonly left: string;
  readonly figures: string;
}

/**
 * One line with as many of the parts as fit, the most important ones first.
 *
 * @param columns the width of the terminal; the line is shorter than that, so that it never wraps
 */
export function barLine({ phase, share, rate, left, figures }: ProgressParts, columns: number): string {
  const room = Math.max(1, columns - 1);
  const line = (barSize: number, ...others: readonly string[]) => {
    const filled = Math.round(share * barSize);
    const bar = barSize === 0 ? '' : ` ${'█'.repeat(filled)}${'░'.repeat(barSize - filled)}`;
    return [`${phase}${bar} ${Math.floor(100 * share)} %`, ...others].filter((part) => part !== '').join(' | ');
  };
  const others = (bar: number) => line(bar, left, figures);
  const lines = [
    line(LONGEST_BAR, rate, left, figures),
    line(LONGEST_BAR / 2, rate, left, figures),
    ...Array.from({ length: LONGEST_BAR / 2 - SHORTEST_BAR + 1 }, (_, i) => others(LONGEST_BAR / 2 - i)),
    others(0),
    line(0, left),
    line(0),
  ];
  const fitting = lines.find((text) => fits(text, room));
  return fitting ?? cutToFit(`${phase} ${Math.floor(100 * share)} %`, room);
}

/** Shows progress on a terminal, or where its output is piped in lines. */
export async function showProgress(
  { screen, note }: Pick<Terminal, 'screen' | 'note'>,
  rateText: RateText,
): Promise<Progress> {
  await screen?.start();
  let origin = 0;
  let started: number | null = null;
  let parts: ProgressParts = { phase: '', share: 0, rate: '', left: '', figures: '' };
  let shown = { at: screen === null ? Date.now() : 0, phase: '' };
  const show = () => {
    const now = Date.now();
    const due = now - shown.at >= (screen === null ? LINE_EVERY_MS : DRAW_EVERY_MS);
    if (!due && (screen === null || parts.phase === shown.phase)) return;
    shown = { at: now, phase: parts.phase };
    if (screen !== null) screen.draw(barLine(parts, screen.columns));
    else note(pipedLine(parts));
  };
  return {
    update(done, total, phase, figures) {
      started ??= Date.now();
      const seconds = (Date.now() - started) / 1000;
      const rate = seconds > LEAST_SECONDS ? Math.max(0, done - origin) / seconds : 0;
      parts = {
        phase,
        share: total > 0 ? Math.min(1, Math.max(0, done / total)) : 0,
        rate: rate === 0 ? '' : rateText(rate),
        left: rate === 0 ? '' : `${duration((total - done) / rate)} left`,
        figures,
      };
      show();
    },
    phase(phase) {
      parts = { ...parts, phase };
      show();
    },
    startAt(done) {
      origin = done;
      started = null;
    },
    stop: () => screen?.clear(),
  };
}

/** One line with all parts, for output that is piped. */
export const pipedLine = ({ phase, share, rate, left, figures }: ProgressParts): string =>
  [phase, `${Math.floor(100 * share)} %`, rate, left, figures].filter((part) => part !== '').join(', ');
