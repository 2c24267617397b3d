/** How the page looks: light and dark, from 320 pixels of width, and on paper. */

/** Colours of both appearances. A state is never told by its colour alone. */
const COLOURS = `
:root { color-scheme: light dark;
  --ground: #fbfaf7; --panel: #fff; --line: #dcd8ce; --ink: #1d2420; --quiet: #5d665f;
  --good: #1d6b3f; --caution: #8a5300; --bad: #a8201a;
  --generation: #bfe0c8; --next: #6fbf8a; --shared: #b8d8e8; --unused: #f0dcb0; --loader: #d9c8ec;
  --others: #d9d4c9; --reserve: #eceae3; --free: #fbfaf7; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #141816; --panel: #1c211e; --line: #39413c; --ink: #e6ebe7; --quiet: #a0aaa3;
  --good: #79cf98; --caution: #eab464; --bad: #ff8f86;
  --generation: #2a5138; --next: #3b8457; --shared: #274d62; --unused: #63501f; --loader: #4b3a66;
  --others: #45443f; --reserve: #2a2f2b; --free: #1c211e; } }
`;

/** The style sheet of the page. */
export const STYLE = `${COLOURS}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; }
code, .mono { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .875em; }
.quiet, footer, caption { color: var(--quiet); font-size: .875rem; }
.good { color: var(--good); } .caution { color: var(--caution); } .bad { color: var(--bad); }
.good, .caution, .bad { font-weight: 600; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.verdict { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; }
.verdict dt { color: var(--quiet); font-size: .875rem; } .verdict dd { margin: 0; font-weight: 600; }
ul.findings { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
.findings > li { border-left: .3rem solid var(--caution); } .findings > li.fatal { border-left-color: var(--bad); }
.findings p { margin: 0; } .findings ul { margin: .25rem 0; padding-left: 1.25rem; }
.menu { background: #000; color: #d0d0d0; border-radius: .5rem; padding: 1.25rem .75rem; max-width: 48rem;
  font: .9rem/1.6 ui-monospace, "Liberation Mono", monospace; }
.menu ol { list-style: none; margin: 0; padding: 0; }
.menu li { padding: 0 .75rem; } .menu .chosen { background: #d0d0d0; color: #000; }
.menu p { margin: 1rem .75rem 0; color: #9a9a9a; }
.map { position: relative; aspect-ratio: 5 / 2; min-height: 13rem; width: 100%; border: 1px solid var(--line);
  border-radius: .5rem; overflow: hidden; background: var(--free); }
.tile { position: absolute; overflow: hidden; padding: .2rem .35rem; font-size: .8rem; line-height: 1.25;
  border: 1px solid var(--panel); }
.tile b { display: block; overflow: hidden; text-overflow: ellipsis; }
.generation { background: var(--generation); } .shared { background: var(--shared); } .next { background: var(--next); }
.unused { background: var(--unused); } .loader, .extra { background: var(--loader); } .others { background: var(--others); }
.reserve { background: repeating-linear-gradient(45deg, var(--reserve) 0 .4rem, var(--free) .4rem .8rem); }
.free { background: var(--free); }
.swatch { display: inline-block; width: .9rem; height: .9rem; margin-right: .5rem; vertical-align: -.1rem;
  border: 1px solid var(--line); border-radius: .2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
.stack thead th, .stack td[data-of="Firmware"], .stack td[data-of="Policies for PCR 11"] { white-space: nowrap; }
.stack th[scope="row"] { min-width: 13rem; }
th { font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.time { position: relative; height: 3.25rem; margin: .5rem .75rem 0; }
.time::before { content: ""; position: absolute; left: 0; right: 0; top: .95rem; border-top: 2px solid var(--line); }
.time span { position: absolute; top: .5rem; width: .95rem; height: .95rem; margin-left: -.475rem; border-radius: 50%;
  border: 2px solid var(--ground); background: var(--quiet); }
.time .in { background: var(--good); } .time .next { width: 1.35rem; height: 1.35rem; top: .3rem; margin-left: -.675rem;
  background: var(--good); border-color: var(--ink); }
.ends { display: flex; justify-content: space-between; }
details { margin: .25rem 0; } details summary { cursor: pointer; font-weight: 600; } details table { margin: .25rem 0 .75rem 1rem; width: calc(100% - 1rem); }
summary:focus-visible { outline: 2px solid var(--good); outline-offset: 2px; } footer { padding: 2rem 1rem; }
@media (max-width: 40rem) {
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack, .stack tbody, .stack tr, .stack td, .stack th[scope="row"], .stack caption { display: block; }
  .stack tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .stack td, .stack th[scope="row"] { border: 0; padding: .05rem 0; text-align: left; white-space: normal; }
  .stack td[data-of]::before { content: attr(data-of) ": "; color: var(--quiet); }
  .stack td:empty { display: none; }
  .map { aspect-ratio: 4 / 3; } }
@media print { .panel, .map, .tile { break-inside: avoid; } }
`;
