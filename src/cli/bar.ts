import type { MultiBar, SingleBar } from 'cli-progress';
import { duration } from './format.ts';

/** A progress bar with rate and time left; lines can be written above it. */
export interface Bar {
  update(done: number, total: number, phase: string, figures: string): void;
  phase(text: string): void;
  /** Counts the rate from here on, as after a resume. */
  startAt(done: number): void;
  log(line: string): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

/** @param unit of the rate, such as `images/s` */
export async function drawBar(stream: NodeJS.WriteStream, unit: string): Promise<Bar> {
  const { default: progress } = await import('cli-progress');
  const bars: MultiBar = new progress.MultiBar({
    stream,
    format: `{phase} {bar} {percentage} % | {rate} ${unit} | {left} left | {figures}`,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const bar: SingleBar = bars.create(1, 0, { phase: '', rate: '-', left: '-', figures: '' });
  let origin = 0;
  let start: number | null = null;
  return {
    update(done, total, phase, figures) {
      start ??= Date.now();
      const seconds = (Date.now() - start) / 1000;
      const rate = seconds > 0.5 ? (done - origin) / seconds : 0;
      bar.setTotal(total);
      bar.update(done, {
        phase,
        figures,
        rate: rate === 0 ? '-' : rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2),
        left: rate === 0 ? '-' : duration((total - done) / rate),
      });
    },
    phase: (phase) => bar.update({ phase }),
    startAt(done) {
      origin = done;
    },
    log: (line) => bars.log(`${line}\n`),
    stop: () => bars.stop(),
  };
}
