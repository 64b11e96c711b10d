/** The page's style sheet. Charts take their colours from the custom properties, which follow the reader's theme. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #16202c; --muted: #52606d; --line: #dde2e8; --grid: #e6eaee; --axis: #9aa5b1;
  --good: #0b7a4b; --bad: #b42318; --warn: #8a5a00;
  --sgd: #b45309; --agent: #1d4ed8; --svrg: #0f766e; --alpha-svrg: #7e22ce; --undefended: #64748b;
  --more-1: #be123c; --more-2: #4d7c0f; --more-3: #a21caf; --more-4: #52525b;
  --more-5: #047857; --more-6: #92400e; --more-7: #0369a1; --more-8: #4338ca;
  --level-0: #46327e; --level-1: #2b6a99; --level-2: #16825d; --level-3: #9a6b00; --level-4: #c2410c; --level-5: #9f1239;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #161c24; --text: #e6ebf1; --muted: #a3afbd; --line: #2a333f; --grid: #25303b; --axis: #64717f;
    --good: #4ad295; --bad: #ff8f82; --warn: #f2c14e;
    --sgd: #f5a524; --agent: #7aa7ff; --svrg: #2dd4bf; --alpha-svrg: #c99bff; --undefended: #9fb0c3;
    --more-1: #ff7a93; --more-2: #a3e635; --more-3: #e879f9; --more-4: #d4d4d8;
    --more-5: #34d399; --more-6: #fdba74; --more-7: #38bdf8; --more-8: #a5b4fc;
    --level-0: #b9a3ff; --level-1: #6db3f2; --level-2: #41d6a8; --level-3: #f0c64a; --level-4: #ff9d66; --level-5: #ff7a93;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 40px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 1.3rem; margin: 48px 0 6px; letter-spacing: -0.005em; }
.group-title { font-size: 1.6rem; margin-top: 64px; border-top: 2px solid var(--line); padding-top: 28px; }
h3 { font-size: 1rem; margin: 0 0 4px; }
p { margin: 6px 0 12px; max-width: 72ch; }
a { color: var(--agent); }
.lead { font-size: 1.1rem; color: var(--muted); }
.note { border-left: 3px solid var(--warn); padding: 6px 14px; background: color-mix(in srgb, var(--warn) 9%, transparent); border-radius: 0 6px 6px 0; max-width: none; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; margin: 22px 0; padding: 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
.tile { border-top: 4px solid var(--tile, var(--line)); }
.tile dt { color: var(--muted); font-size: 0.9rem; }
.tile dd { margin: 0; }
.tile .figure { font-size: 2.1rem; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 14px; }
.charts.small-multiples { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; min-width: 0; }
figcaption { font-weight: 600; font-size: 0.95rem; margin-bottom: 8px; }
.plot { display: block; width: 100%; height: auto; margin: 0 auto; overflow: visible; font-family: inherit; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 12px; padding: 0; list-style: none; font-size: 0.92rem; }
.legend li { display: flex; align-items: center; gap: 7px; }
.swatch { width: 22px; height: 0; border-top: 3px solid var(--swatch); border-radius: 2px; display: inline-block; }
.swatch.dashed { border-top: 2px dashed var(--swatch); border-radius: 0; }
svg.swatch { height: 4px; border-top: 0; border-radius: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: 4px 0 8px; }
caption > span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 5rem); }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); }
tbody th { color: var(--text); }
th.left, td.left { text-align: left; }
td.wrap { white-space: normal; text-align: left; min-width: 24ch; }
tbody tr:last-child > * { border-bottom: 0; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--muted); font-size: 0.92rem; }
summary:hover { color: var(--text); }
.gallery { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.gallery.sheet { grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); }
.probabilities { margin-top: 10px; }
.probabilities meter { width: 6em; }
.attack + .attack { border-top: 1px solid var(--line); margin-top: 12px; padding-top: 12px; }
.pictures { display: flex; gap: 10px; align-items: flex-start; margin-top: 8px; }
.pictures div { flex: 1; min-width: 0; text-align: center; font-size: 0.8rem; color: var(--muted); }
.pictures img { width: 100%; image-rendering: pixelated; border-radius: 6px; border: 1px solid var(--line); display: block; margin-bottom: 4px; }
.verdicts { list-style: none; margin: 8px 0 0; padding: 0; font-size: 0.92rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.warn { color: var(--warn); font-weight: 600; }
pre { background: var(--page); border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; font-size: 0.82rem; }
nav { margin: 18px 0 0; font-size: 0.92rem; display: flex; flex-wrap: wrap; gap: 4px 16px; }
footer { color: var(--muted); font-size: 0.88rem; margin-top: 56px; padding-bottom: 40px; }
@media print { body { background: #fff; } figure, .tile, .card { break-inside: avoid; } nav { display: none; } }
`;
