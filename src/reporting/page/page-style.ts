// The style sheet of the page of a report.

/** The page's style sheet. Charts take their colours from the custom properties, which follow the reader's theme. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f7f8fa; --card: #ffffff; --text: #17202b; --muted: #55626f; --line: #dfe4ea; --grid: #e8ecf0; --axis: #97a3b0;
  --good: #0b7a4b; --bad: #b42318; --warn: #8a5a00; --link: #1d4ed8;
  --sgd: #b45309; --agent: #1d4ed8; --svrg: #0f766e; --alpha-svrg: #7e22ce; --undefended: #64748b;
  --more-1: #be123c; --more-2: #4d7c0f; --more-3: #a21caf; --more-4: #52525b;
  --more-5: #047857; --more-6: #92400e; --more-7: #0369a1; --more-8: #4338ca;
  --level-0: #46327e; --level-1: #2b6a99; --level-2: #16825d; --level-3: #9a6b00; --level-4: #c2410c; --level-5: #9f1239;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #151b23; --text: #e6ebf1; --muted: #a3afbd; --line: #29323d; --grid: #242d37; --axis: #64717f;
    --good: #4ad295; --bad: #ff8f82; --warn: #f2c14e; --link: #8fb4ff;
    --sgd: #f5a524; --agent: #7aa7ff; --svrg: #2dd4bf; --alpha-svrg: #c99bff; --undefended: #9fb0c3;
    --more-1: #ff7a93; --more-2: #a3e635; --more-3: #e879f9; --more-4: #d4d4d8;
    --more-5: #34d399; --more-6: #fdba74; --more-7: #38bdf8; --more-8: #a5b4fc;
    --level-0: #b9a3ff; --level-1: #6db3f2; --level-2: #41d6a8; --level-3: #f0c64a; --level-4: #ff9d66; --level-5: #ff7a93;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 24px; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
.layout { max-width: 1220px; margin: 0 auto; padding: 0 28px; }
main { min-width: 0; }
nav { font-size: 0.88rem; line-height: 1.35; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav ul ul { padding-left: 12px; }
nav a { display: block; padding: 5px 12px; color: var(--muted); text-decoration: none; border-left: 2px solid var(--line); }
nav a:hover { color: var(--text); }
nav a[aria-current] { color: var(--text); border-color: var(--link); font-weight: 600; }
@media (min-width: 1060px) {
  .layout:has(> nav) { display: grid; grid-template-columns: 164px minmax(0, 1fr); gap: 36px; }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 44px 0 24px; }
}
@media (max-width: 1059px) {
  html { scroll-padding-top: 64px; }
  .layout { padding: 0 16px; }
  nav { position: sticky; top: 0; z-index: 2; margin: 0 -16px; background: var(--page); border-bottom: 1px solid var(--line); overflow-x: auto; scrollbar-width: none; }
  nav ul { display: flex; white-space: nowrap; padding: 0 8px; }
  nav ul ul { display: none; }
  nav a { border-left: 0; border-bottom: 2px solid transparent; padding: 11px 8px 9px; }
}
header { padding-top: 40px; }
h1 { font-size: 0.95rem; font-weight: 600; color: var(--muted); margin: 0 0 10px; }
.answer { font-size: clamp(1.4rem, 1.05rem + 1.5vw, 1.95rem); line-height: 1.25; font-weight: 650; letter-spacing: -0.015em; margin: 0 0 10px; max-width: 32em; text-wrap: pretty; }
.answer .about { display: block; font-size: 0.92rem; font-weight: 500; letter-spacing: 0; }
.basis { color: var(--muted); font-size: 0.95rem; max-width: 78ch; margin: 0 0 16px; }
.agent { border-left: 3px solid var(--agent); padding: 2px 0 2px 12px; margin: 0 0 14px; }
.agent b { margin-right: 6px; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 56px 0 6px; letter-spacing: -0.008em; }
.group-title { font-size: 1.5rem; margin-top: 72px; border-top: 2px solid var(--line); padding-top: 28px; }
h3 { font-size: 0.95rem; margin: 22px 0 8px; }
article h3, .card > h3 { margin-top: 0; }
p { margin: 6px 0 14px; max-width: 74ch; }
a { color: var(--link); text-underline-offset: 2px; }
a:focus-visible, button:focus-visible, summary:focus-visible, input:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.note { border-left: 3px solid var(--warn); padding: 6px 14px; background: color-mix(in srgb, var(--warn) 9%, transparent); border-radius: 0 6px 6px 0; max-width: none; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.badges { display: flex; flex-wrap: wrap; gap: 8px; margin: 14px 0 0; align-items: start; }
.badge { margin: 0; }
.badge > summary { list-style: none; border: 1px solid var(--line); border-radius: 999px; padding: 3px 12px; background: var(--card); color: var(--text); font-size: 0.85rem; white-space: nowrap; }
.badge > summary::-webkit-details-marker { display: none; }
.badge > summary::after { content: "+" / ""; color: var(--muted); margin-left: 7px; }
.badge[open] > summary::after { content: "−" / ""; }
.badge > summary:hover { border-color: var(--axis); }
.badge.warns > summary { border-color: color-mix(in srgb, var(--warn) 55%, var(--line)); color: var(--warn); }
.badge[open] { flex-basis: 100%; }
.badge[open] > summary { display: inline-block; }
.badge > p { font-size: 0.92rem; margin: 8px 0 4px 12px; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; margin: 28px 0 0; padding: 0; background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.tile { flex: 1 1 150px; background: var(--card); padding: 14px 18px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 10px 16px; margin: 0 0 14px; }
.card.fit { width: fit-content; max-width: 100%; }
.card.fit th:not(:first-child), .card.fit td { padding-left: 22px; }
.card.fit .interval { max-width: 36vw; height: auto; }
.card > p { margin: 6px 8px; max-width: none; }
.charts + .card { margin-top: 14px; }
.whole { white-space: nowrap; }
@media screen and (max-width: 700px) {
  .stacks, .stacks caption, .stacks tbody { display: block; }
  .stacks thead { display: none; }
  .stacks.sortable thead:has(button) { display: block; }
  .stacks thead tr::before { content: "Sort by"; color: var(--muted); padding: 4px 0; }
  .stacks thead th { border: 0; padding: 4px 0; }
  .stacks tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 16px; padding: 8px 0; border-bottom: 1px solid var(--line); }
  .stacks tbody tr:last-child { border-bottom: 0; }
  .card .stacks [data-title], .scroll .stacks [data-title] { border: 0; padding: 1px 0; text-align: left; white-space: normal; }
  .stacks th[data-title], .stacks td.wrap { flex-basis: 100%; min-width: 0; }
  .stacks [data-title]::before { content: attr(data-title) ": "; color: var(--muted); font-weight: 400; }
  .stacks td:empty { display: none; }
}
article.card { padding: 16px 18px; margin: 0; }
.tile dt { color: var(--muted); font-size: 0.88rem; }
.tile dd { margin: 0; }
.tile .figure { font-size: 1.75rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 14px; }
.charts.small-multiples { grid-template-columns: repeat(auto-fill, minmax(min(100%, 272px), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 14px 10px; min-width: 0; }
figcaption { font-weight: 600; font-size: 0.9rem; margin-bottom: 6px; }
.plot { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
.plot [fill-opacity], .plot path { pointer-events: all; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 12px; padding: 0; list-style: none; font-size: 0.88rem; color: var(--muted); }
.legend li { display: flex; align-items: center; gap: 7px; }
.swatch { width: 22px; height: 0; border-top: 3px solid var(--swatch); border-radius: 2px; display: inline-block; }
.swatch.dashed { border-top: 2px dashed var(--swatch); border-radius: 0; }
.swatch.light { border-top-width: 2px; opacity: 0.5; }
svg.swatch { height: 4px; border-top: 0; border-radius: 0; }
.dot { width: 7px; height: 7px; border-radius: 50%; background: var(--text); display: inline-block; }
.choice { padding: 16px 18px 12px; }
.choices { display: inline-flex; flex-wrap: wrap; border: 0; margin: 0 0 6px; padding: 3px; gap: 2px; background: var(--page); border-radius: 10px; }
.choices label { position: relative; padding: 4px 12px; border-radius: 8px; font-size: 0.88rem; color: var(--muted); cursor: pointer; }
.choices input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.choices label:hover { color: var(--text); }
.choices label:has(:checked) { background: var(--card); color: var(--text); font-weight: 600; box-shadow: 0 1px 2px color-mix(in srgb, var(--text) 18%, transparent); }
.choices label:has(:focus-visible) { outline: 2px solid var(--link); }
.choice-panels { display: none; }
.choice:not(:has(:checked)) .panel-1, .choice:has(.choice-1:checked) .panel-1, .choice:has(.choice-2:checked) .panel-2, .choice:has(.choice-3:checked) .panel-3, .choice:has(.choice-4:checked) .panel-4, .choice:has(.choice-5:checked) .panel-5 { display: block; }
.narrow { display: none; }
@media (max-width: 700px) { .wide { display: none; } .narrow { display: block; } .choice { padding: 12px; } .choices { display: flex; } .choices label { padding: 4px 9px; } }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: 4px 0 8px; }
caption > span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 5rem); }
th, td { text-align: right; padding: 7px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; line-height: 1.3; }
th { font-weight: 600; color: var(--muted); }
tbody th { color: var(--text); }
th.left, td.left { text-align: left; }
td.wrap { white-space: normal; text-align: left; min-width: 24ch; }
tbody tr:last-child > * { border-bottom: 0; }
th > button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th > button:hover { color: var(--text); }
th[aria-sort] > button { color: var(--text); }
th[aria-sort] > button::after { content: " ↓" / ""; }
th[aria-sort="ascending"] > button::after { content: " ↑" / ""; }
.robust { display: inline-flex; align-items: center; gap: 10px; }
.robust b { min-width: 4.2em; }
.series { display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: var(--mark); margin-right: 8px; }
.interval .track { stroke: var(--grid); stroke-width: 1; }
.interval .grid { stroke: var(--line); }
.interval .bar { stroke: var(--mark); stroke-width: 4; opacity: 0.38; stroke-linecap: round; }
.interval .ticks { stroke: var(--mark); stroke-width: 1.5; }
.interval .mean { fill: var(--mark); }
.copies { display: flex; flex-wrap: wrap; gap: 4px 20px; }
.copies details { margin: 0; }
.copies details[open] { flex-basis: 100%; min-width: 0; }
.copy-button { float: right; font: inherit; font-size: 0.82rem; margin: 8px; padding: 2px 10px; border-radius: 7px; border: 1px solid var(--line); background: var(--card); color: var(--text); cursor: pointer; position: relative; }
.copy-button:hover { border-color: var(--axis); }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--muted); font-size: 0.9rem; }
summary:hover { color: var(--text); }
.fold { border-top: 1px solid var(--line); margin: 40px 0 0; padding-top: 14px; }
section:has(> .fold) + section > .fold { margin-top: 14px; }
.fold > summary h2 { display: inline; margin: 0 8px 0 2px; color: var(--text); }
.fold[open] > summary { margin-bottom: 8px; }
.gallery { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); }
.gallery.large { grid-template-columns: 1fr; }
.gallery.large .pictures { gap: 18px; }
.gallery.sheet { grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); }
.probabilities { margin-top: 10px; }
.probabilities tbody th { width: 100%; white-space: normal; overflow-wrap: anywhere; }
.share { display: flex; gap: 6px; align-items: center; justify-content: flex-end; }
.share meter { width: clamp(1.25rem, 20vw - 2.75rem, 6rem); }
.share span { width: 4.2em; }
.attack + .attack { border-top: 1px solid var(--line); margin-top: 12px; padding-top: 12px; }
.pictures { display: flex; gap: 10px; align-items: flex-start; margin-top: 8px; }
.pictures div { flex: 1; min-width: 0; text-align: center; font-size: 0.8rem; color: var(--muted); }
.pictures img { width: 100%; image-rendering: pixelated; border-radius: 6px; border: 1px solid var(--line); display: block; margin-bottom: 4px; }
.verdicts { list-style: none; margin: 8px 0 0; padding: 0; font-size: 0.9rem; }
.confusion { table-layout: fixed; font-size: 0.75rem; }
.confusion th, .confusion td { padding: 3px 1px; text-align: center; border: 1px solid var(--card); height: 27px; overflow: hidden; text-overflow: ellipsis; }
.confusion abbr { text-decoration: none; }
.confusion td.right { background: color-mix(in srgb, var(--agent) calc(42% * var(--share)), var(--page)); }
.confusion td.wrong { background: color-mix(in srgb, var(--bad) calc(42% * var(--share)), var(--page)); }
.confusion thead td { background: none; }
.progress { height: 8px; border-radius: 4px; background: var(--grid); overflow: hidden; }
.progress span { display: block; height: 100%; background: var(--agent); border-radius: 4px; }
#live > h1 { padding-top: 36px; }
.live-run { padding: 14px 18px; }
.live-run figure { border: 0; padding: 4px 0; }
.live-run > p { margin-inline: 0; }
.live-run .legend { margin: 0; justify-content: center; }
.log-title { font-size: 1rem; margin: 24px 0 6px; }
.log { list-style: none; margin: 0; padding: 10px 16px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; font-size: 0.85rem; max-height: 15em; overflow-y: auto; }
.log time { color: var(--muted); margin-right: 8px; font-variant-numeric: tabular-nums; }
.lost-note { display: none; color: var(--warn); }
body.lost .lost-note { display: block; }
.facts { margin: 0 0 14px; display: grid; gap: 4px; }
.facts div { display: flex; flex-wrap: wrap; gap: 0 14px; }
.facts dt { color: var(--muted); min-width: 5.5em; }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; margin: 8px 0 14px; overflow-x: auto; font-size: 0.82rem; line-height: 1.5; }
footer { color: var(--muted); font-size: 0.86rem; margin-top: 56px; padding-bottom: 48px; }
header > p, footer { overflow-wrap: anywhere; }
@media print {
  :root { --page: #fff; }
  body { font-size: 11pt; }
  .layout, .layout:has(> nav) { display: block; max-width: none; padding: 0; }
  nav, .copies, .copy-button, .choices { display: none; }
  header { padding-top: 0; }
  .wide { display: block; } .narrow { display: none; }
  h2 { margin-top: 28px; break-after: avoid; }
  h3 { break-after: avoid; }
  figure, .tile, article.card, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; height: auto; display: block; }
  .badge, .badge[open] { flex-basis: 100%; }
  .badge > summary::after { content: none; }
  .charts.small-multiples { grid-template-columns: repeat(3, 1fr); }
  .charts { grid-template-columns: 1fr 1fr; }
  table { font-size: 0.78rem; } th, td { padding: 4px 6px; white-space: normal; }
  table:has(th:nth-child(9)) { font-size: 0.62rem; } table:has(th:nth-child(9)) :is(th, td) { padding: 3px; }
  table:has(th:nth-child(12)) :is(th, td), tbody th { overflow-wrap: anywhere; }
  .interval { width: 110px; height: auto; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
`;
