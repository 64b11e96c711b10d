// A chart of estimates with their intervals, one row each, as SVG.

/** An estimate and its interval, on the chart's axis. */
export interface Mark {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly colour: string;
}

export interface IntervalChart {
  /** What a screen reader says. */
  readonly title: string;
  /** The line above the chart. */
  readonly heading: string;
  /** Ends of the axis, and the values that get a line; the line at 0 is dark. */
  readonly axis: readonly [lowest: number, highest: number];
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
  readonly rows: readonly { readonly label: string; readonly marks: readonly Mark[] }[];
  /** The line below the axis, centred at a value of it. */
  readonly note: readonly [text: string, at: number];
}

const [WIDTH, LEFT, RIGHT, TOP, ROW] = [760, 330, 20, 46, 22];

export function intervalChart({ title, heading, axis, ticks, format, rows, note }: IntervalChart): string {
  const [lowest, highest] = axis;
  const height = TOP + ROW * rows.length + 46;
  const bottom = height - 40;
  const place = (value: number): string =>
    (LEFT + ((value - lowest) / (highest - lowest)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const grid = ticks.map(
    (value) =>
      `<line x1="${place(value)}" x2="${place(value)}" y1="${TOP - 8}" y2="${bottom}" stroke="${value === 0 ? '#555' : '#ddd'}"/>` +
      `<text x="${place(value)}" y="${bottom + 16}" text-anchor="middle">${format(value)}</text>`,
  );
  const drawn = rows.map(({ label, marks }, i) => {
    const y = TOP + ROW * i + ROW / 2;
    const lines = marks.map(
      ({ mean, low, high, colour }) =>
        `<line x1="${place(low)}" x2="${place(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>` +
        `<circle cx="${place(mean)}" cy="${y}" r="4" fill="${colour}"/>`,
    );
    return `<text x="10" y="${y + 4}">${label}</text>${lines.join('')}`;
  });
  const [text, at] = note;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">
<title>${title}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="10" y="22" font-size="14">${heading}</text>
${[...grid, ...drawn].join('\n')}
<text x="${place(at)}" y="${bottom + 32}" text-anchor="middle">${text}</text>
</svg>
`;
}
