import { formatEpsilon } from '../evaluation/epsilon.ts';
import { type Evaluation, UNION } from '../evaluation/types.ts';
import { SETTINGS, type Setting } from '../training/config.ts';
import { epsilonSection, nameOf, sparsitySection } from './accuracy-sections.ts';
import { coefficientSection, epochsSection, learningSection } from './curve-sections.ts';
import type { Gallery, GalleryImage } from './gallery.ts';
import { groupBy } from './group-by.ts';
import { type Html, Html as HtmlText, html } from './html.ts';
import { type Column, details, htmlDocument, table } from './page-parts.ts';
import { showPictures, showVerdict } from './pictures.ts';
import { bySparsity, headlineCells, type ReportData } from './report-data.ts';
import { datasetTitle, type RunRecord } from './runs.ts';
import type { MeanAndDeviation, SummaryCell } from './summary.ts';
import { formatAccuracy, formatDifference, formatSparsity, formatSpread, percent } from './table.ts';

/** A report as one HTML page that needs nothing beside itself: no script, no font, no request. */
export async function renderPage(data: ReportData): Promise<string> {
  const sections = [
    html`<h2 id="sparsity">Accuracy against sparsity</h2>`,
    data.threat === null ? notEvaluated : await sparsitySection(data),
    differencesSection(data),
    data.gallery && gallerySection(data.gallery),
    await epsilonSection(data),
    await learningSection(data),
    await coefficientSection(data),
    await epochsSection(data),
    alarmsSection(data),
    resultsSection(data),
    configurationSection(data),
  ];
  const present = sections.filter((section): section is Html => section !== null);
  return htmlDocument(
    data.title,
    html`<header>
<h1>${data.title}</h1>
${lead(data)}
${notes(data)}
${tiles(data)}
<nav aria-label="Sections">${present.flatMap((section) =>
      [...section.text.matchAll(/<h2 id="([\w-]+)">([^<]*)<\/h2>/g)].map(
        ([, id, title]) => html`<a href="#${id}">${new HtmlText(title)}</a>`,
      ),
    )}</nav>
</header>
<main>
${present.map((section) => html`<section>${section}</section>\n`)}
</main>
<footer>${footer(data)}</footer>`,
  );
}

const notEvaluated = html`<p class="note">None of these runs was evaluated yet. Do so with <code>equipoise evaluate RUN</code> and make the report again.</p>`;

const evaluationsOf = ({ runs }: ReportData): Evaluation[] => runs.flatMap(({ evaluations }) => evaluations);

function lead(data: ReportData): Html {
  const configs = data.runs.map(({ config }) => config);
  const networks = [...new Set(configs.map(({ model, width }) => (width === 1 ? model : `${model} ×${width}`)))];
  const datasets = [...new Set([...evaluationsOf(data).map(({ dataset }) => datasetTitle(dataset))])];
  const where = datasets.length > 0 ? datasets : [...new Set(configs.map(({ dataset }) => dataset))];
  const seeds = new Set(configs.map(({ seed }) => seed)).size;
  const images = [...new Set(data.results.map(({ n }) => n))];
  return html`<p class="lead">${networks.join(', ')} on ${where.join(', ')}: ${plural(configs.length, 'run')} over ${plural(seeds, 'seed')}${
    data.threat === null
      ? '.'
      : `, attacked in ${data.threat.norm} with ε ${formatEpsilon(data.threat.epsilon)} on ${images.join(' or ')} test images by ${attackNames(data).join(' and ')}.`
  }</p>
<p class="muted">Every robust accuracy on this page is an upper bound: the share of images that survived the attacks that were run.</p>`;
}

const attackNames = ({ results, threat }: ReportData): string[] => [
  ...new Set(
    results
      .filter(({ attack, norm, epsilon }) => attack !== UNION && norm === threat?.norm && epsilon === threat?.epsilon)
      .map(({ attack }) => attack),
  ),
];

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** What a reader must know before comparing these figures with others. */
function notes(data: ReportData): Html[] {
  const datasets = new Map(evaluationsOf(data).map(({ dataset }) => [dataset.sha256, dataset]));
  const texts = [...datasets.values()].flatMap((dataset) => [
    ...(dataset.official
      ? []
      : [
          `The files of ${dataset.name} are not the official ones (SHA-256 ${dataset.sha256.slice(0, 16)}…): these figures do not compare with published ${dataset.name}.`,
        ]),
    ...(dataset.name === 'mnist10k'
      ? [
          'mnist10k is the 10,000 official MNIST test digits, split anew into 8,000 for training and 2,000 for testing: these figures do not compare with published MNIST.',
        ]
      : []),
    ...(dataset.name === 'synthetic' ? ['The images are generated: these figures compare with nothing else.'] : []),
  ]);
  const raised = evaluationsOf(data).flatMap(({ alarms }) => alarms.filter(({ status }) => status === 'raised'));
  return [
    ...texts.map((text) => html`<p class="note">${text}</p>`),
    ...(raised.length === 0
      ? []
      : [
          html`<p class="note"><span class="warn">${plural(raised.length, 'alarm')} raised</span>: some robust accuracies may be too high. See <a href="#alarms">Alarms</a>.</p>`,
        ]),
  ];
}

function tiles(data: ReportData): Html | null {
  const cells = headlineCells(data);
  const undefended = cells.find(({ setting }) => setting.objective === 'natural');
  const defended = cells.filter(({ setting }) => setting.objective !== 'natural');
  const least = Math.min(...defended.map(({ setting }) => setting.sparsity ?? 0));
  const most = Math.max(...defended.map(({ setting }) => setting.sparsity ?? 0));
  const bestAt = (sparsity: number) =>
    defended
      .filter(({ setting }) => setting.sparsity === sparsity)
      .reduce<SummaryCell | undefined>(
        (best, cell) => (best && best.robust.mean >= cell.robust.mean ? best : cell),
        undefined,
      );
  const shown = [undefended, bestAt(least), ...(most > least ? [bestAt(most)] : [])].filter(
    (cell) => cell !== undefined,
  );
  if (shown.length === 0) return null;
  return html`<dl class="tiles">${shown.map(
    (cell) => html`<div class="tile" style="--tile:${colorOf(data, cell)}"><dt>${tileName(data, cell)}</dt>
<dd class="figure">${percent(cell.robust.mean)} %</dd>
<dd class="muted small">robust${spread(cell.robust)}, ${formatSpread(cell.clean)} clean</dd></div>`,
  )}</dl>`;
}

const spread = ({ deviation }: MeanAndDeviation): string =>
  Number.isNaN(deviation) ? '' : ` ± ${percent(deviation)} over seeds`;

const colorOf = ({ series }: ReportData, { setting }: SummaryCell): string =>
  series.find(({ matches }) => matches(setting))?.color ?? 'var(--line)';

const tileName = ({ series }: ReportData, cell: SummaryCell): string => {
  const { sparsity } = cell.setting;
  const name = nameOf(series, cell);
  return `${sparsity === 0 ? 'dense' : `${formatSparsity(sparsity ?? 0)} sparse`}, ${name}`;
};

/** What the correction changed, sparsity by sparsity. */
function differencesSection(data: ReportData): Html | null {
  const cells = headlineCells(data).filter(({ robustDifference }) => robustDifference !== null);
  if (cells.length === 0) return null;
  const columns: Column<SummaryCell>[] = [
    { title: 'sparsity', left: true, cell: ({ setting }) => formatSparsity(setting.sparsity ?? 0) },
    {
      title: 'difference',
      left: true,
      cell: (cell) => `${nameOf(data.series, cell)} − SGD`,
    },
    {
      title: 'robust accuracy',
      wrap: true,
      cell: ({ robustDifference }) => robustDifference && formatDifference(robustDifference),
    },
    {
      title: 'clean accuracy',
      wrap: true,
      cell: ({ cleanDifference }) => cleanDifference && formatDifference(cleanDifference),
    },
  ];
  return html`<div class="card">${table('Mean difference over paired seeds with its 95 % t interval, each for itself: of twenty without any difference one is called distinguishable by chance. With few seeds intervals are wide: what cannot be told apart may still differ.', columns, cells)}</div>`;
}

function gallerySection(gallery: Gallery): Html {
  const row = ({
    rows,
    label,
    index,
  }: GalleryImage) => html`<article class="card"><h3>${label} <span class="muted small">test image ${index}</span></h3>
${rows.map(
  (pictures) => html`<div class="attack"><span class="small muted">attack on: ${pictures.attacked}</span>
${showPictures(pictures, { index, label })}
<ul class="verdicts">${pictures.predictions.map((prediction) => showVerdict(prediction, `${prediction.net}: `))}</ul></div>`,
)}</article>`;
  return html`<h2 id="gallery">What an attack looks like</h2>
<p>The worst that ${gallery.attack} finds within ε ${formatEpsilon(gallery.epsilon)} (${gallery.norm}) for each net in turn, and what each net makes of it: its prediction without and with the perturbation.</p>
<div class="gallery">${gallery.images.map(row)}</div>`;
}

function alarmsSection(data: ReportData): Html | null {
  const seen = data.runs.flatMap((run) =>
    run.evaluations.flatMap(({ alarms, target }) =>
      alarms.map((alarm) => ({ ...alarm, where: `${run.name}, ${target.checkpoint}` })),
    ),
  );
  if (seen.length === 0) return null;
  const groups = groupBy(seen, ({ name }) => name);
  type Group = (typeof groups)[number];
  const count = (group: Group, status: string) => group.filter((alarm) => alarm.status === status).length;
  const columns: Column<Group>[] = [
    { title: 'alarm', left: true, cell: ([{ name }]) => name },
    {
      title: 'status',
      left: true,
      cell: (group) =>
        count(group, 'raised') > 0
          ? html`<span class="bad">raised in ${count(group, 'raised')} of ${group.length}</span>`
          : count(group, 'ok') > 0
            ? html`<span class="good">ok</span>${count(group, 'not checked') > 0 ? ` in ${count(group, 'ok')} of ${group.length}` : ''}`
            : html`<span class="muted">not checked</span>`,
    },
    {
      title: 'what was seen',
      wrap: true,
      cell: (group) => {
        const shown =
          group.find(({ status }) => status === 'raised') ?? group.find(({ status }) => status === 'ok') ?? group[0];
        return shown.status === 'raised' ? `${shown.where}: ${shown.detail}` : shown.detail;
      },
    },
  ];
  return html`<h2 id="alarms">Alarms</h2>
<p>Signs that a robust accuracy is higher than it should be. An alarm whose attack was not run is not checked.</p>
<div class="card">${table(null, columns, groups)}</div>`;
}

/** Tables of the means, for every kept checkpoint, and of every single run. */
function resultsSection(data: ReportData): Html | null {
  if (data.threat === null) return null;
  const { norm, epsilon } = data.threat;
  const attacks = [...attackNames(data), UNION];
  const settingKey = ({ setting }: SummaryCell) =>
    JSON.stringify([nameOf(data.series, { setting } as SummaryCell), setting.sparsity, setting.method, setting.n]);
  const tableOf = (checkpoint: string) => {
    const cells = data.cells
      .filter(
        ({ setting }) => setting.checkpoint === checkpoint && setting.norm === norm && setting.epsilon === epsilon,
      )
      .sort(bySparsity);
    const groups = groupBy(cells, settingKey);
    type Group = (typeof groups)[number];
    const columns: Column<Group>[] = [
      { title: 'sparsity', left: true, cell: ([{ setting }]) => formatSparsity(setting.sparsity ?? 0) },
      { title: 'net', left: true, cell: ([cell]) => nameOf(data.series, cell) },
      { title: 'method', left: true, cell: ([{ setting }]) => setting.method },
      { title: 'seeds', cell: ([{ rows }]) => rows.length },
      { title: 'clean', cell: ([{ clean }]) => formatSpread(clean) },
      ...attacks.map(
        (attack): Column<Group> => ({
          title: attack,
          cell: (group) => {
            const cell = group.find(({ setting }) => setting.attack === attack);
            return cell ? formatSpread(cell.robust) : '';
          },
        }),
      ),
    ];
    return html`<div class="card" style="margin-bottom:14px"><h3>Checkpoint: ${checkpoint}</h3>${table(
      `Mean ± standard deviation over seeds, ε ${formatEpsilon(epsilon)} (${norm}).`,
      columns,
      groups,
    )}</div>`;
  };
  const single: Column<(typeof data.results)[number]>[] = [
    { title: 'run', left: true, cell: ({ run }) => run },
    { title: 'checkpoint', left: true, cell: ({ checkpoint }) => checkpoint },
    { title: 'epoch', cell: (row) => row.epoch },
    { title: 'clean', cell: (row) => withInterval(row.clean_accuracy, row.clean_low, row.clean_high) },
    { title: 'robust', cell: (row) => withInterval(row.robust_accuracy, row.robust_low, row.robust_high) },
    { title: 'sparsity', cell: (row) => `${percent(row.sparsity_actual ?? 0)} %` },
    { title: 'weights', cell: (row) => grouped(row.nonzeros) },
    { title: 'multiply-adds', cell: (row) => grouped(row.flops) },
    { title: 'file (KB)', cell: (row) => grouped(row.bytes === null ? null : row.bytes / 1000) },
    { title: 'training (s)', cell: (row) => row.train_seconds?.toFixed(1) ?? '' },
  ];
  const checkpoints = [...new Set(data.results.map(({ checkpoint }) => checkpoint))];
  return html`<h2 id="results">Results</h2>
<p><b>best</b> is the epoch of highest robust validation accuracy, <b>last</b> the end of training; test images chose neither.</p>
${checkpoints.map(tableOf)}
${details(
  'Every run, with 95 % Wilson intervals over the test images',
  table(
    'Intervals say how far a figure may be from that on all images of the kind. They are about one checkpoint and do not compare trainings.',
    single,
    data.results.filter((row) => row.attack === UNION && row.norm === norm && row.epsilon === epsilon),
  ),
)}`;
}

const grouped = (value: number | null): string => (value === null ? '' : Math.round(value).toLocaleString('en'));

const withInterval = (value: number | null, low: number | null, high: number | null): string =>
  value === null ? '' : formatAccuracy({ value, low: low ?? Number.NaN, high: high ?? Number.NaN, correct: 0, n: 0 });

function configurationSection({ runs }: ReportData): Html {
  const names = (Object.keys(SETTINGS) as Setting[]).filter((name) =>
    runs.some(({ config }) => config[name] !== undefined),
  );
  const text = ({ config }: RunRecord, name: Setting) => (config[name] === undefined ? '' : show(name, config[name]));
  const shared = names.filter((name) => runs.every((run) => text(run, name) === text(runs[0], name)));
  const differing = names.filter((name) => !shared.includes(name));
  return html`<h2 id="configuration">Configuration</h2>
<p>Every setting of every run. A run is made again from its <code>config.json</code> with <code>equipoise train --config</code>.</p>
${
  differing.length === 0
    ? null
    : html`<div class="card">${table(
        'Where the runs differ',
        [
          { title: 'run', left: true, cell: (run: RunRecord) => run.name },
          ...differing.map((name) => ({ title: name, cell: (run: RunRecord) => text(run, name) })),
        ],
        runs,
      )}</div>`
}
${details(
  runs.length === 1 ? 'All settings' : 'What all runs share',
  table(
    null,
    [
      { title: 'setting', left: true, cell: (name: Setting) => name },
      { title: 'value', left: true, cell: (name) => text(runs[0], name) },
      { title: 'meaning', wrap: true, cell: (name) => SETTINGS[name].help },
    ],
    shared,
  ),
)}`;
}

const show = (name: Setting, value: unknown): string =>
  (name === 'epsilon' || name === 'stepSize') && typeof value === 'number'
    ? formatEpsilon(value)
    : Array.isArray(value)
      ? value.join(', ')
      : typeof value === 'object' && value !== null
        ? Object.entries(value)
            .map(([key, entry]) => `${key} ${entry}`)
            .join(', ')
        : String(value);

function footer(data: ReportData): Html {
  const [evaluation] = evaluationsOf(data);
  return html`<p>Made by Equipoise${evaluation ? ` ${evaluation.version}, backend ${evaluation.backend}` : ''}. The same figures are in results.csv, summary.csv and epochs-to-accuracy.csv beside this page.</p>`;
}
