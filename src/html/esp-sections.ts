/** What the page shows of one ESP: its menu, a map of its space, and what firmware starts. Pure. */
import type { HeldVolume, Holder } from '../plan/holders.ts';
import { formatSize } from '../terminal/size.ts';
import type { ReportedEsp, ReportedProgram } from './machine-report.ts';
import { html, type Markup } from './markup.ts';
import { menuSection } from './menu-section.ts';
import { treemap } from './treemap.ts';

/** Returns the sections of an ESP. One that cannot be read has its findings alone. */
export function espSections(esp: ReportedEsp, isOneOfMany: boolean): Markup {
  const { volumes, programs } = esp;
  const id = (name: string) => `${name}-${esp.esp}`;
  const heading = isOneOfMany ? html`<h2>${esp.esp}</h2>` : undefined;
  if (volumes.length === 0) return html`${heading}`;
  return html`${heading}
${menuSection(esp, id('menu'))}
<section aria-labelledby="${id('space')}"><h2 id="${id('space')}">Who holds the space</h2>
${volumes.map(renderVolume)}
</section>
<section aria-labelledby="${id('programs')}"><h2 id="${id('programs')}">Signatures and PCR 11</h2>
${programsTable(programs)}${loadersTable(esp)}${notesList(esp)}
</section>`;
}

/** Width of the map divided by its height. */
const ASPECT = 5 / 2;
/** In percent of both sides. A smaller tile has no room for words; the table below has them. */
const [WIDE_ENOUGH, HIGH_ENOUGH] = [11, 14];

function renderVolume({ path, total, holders }: HeldVolume): Markup {
  const free = holders.find(({ kind }) => kind === 'free')?.size ?? 0;
  const summary = `${path}: ${formatSize(total)}, of which ${formatSize(free)} are free`;
  return html`<h3>${path}, ${formatSize(total)}</h3>
<div class="map" role="img" aria-label="${summary}">${treemap(holders, ASPECT).map(
    ({ item, left, top, width, height }) =>
      html`<div class="tile ${item.kind}" style="left: ${percent(left)}; top: ${percent(top)}; width: ${percent(width)}; height: ${percent(height)}" title="${`${item.name}: ${formatSize(item.size)}`}">${
        width >= WIDE_ENOUGH && height >= HIGH_ENOUGH
          ? html`<b>${item.name}</b>${formatSize(item.size)}`
          : undefined
      }</div>`,
  )}</div>
<table><caption class="quiet">What fills ${path}</caption>
<thead><tr><th scope="col">Held by</th><th scope="col" class="number">Size</th><th scope="col" class="number">Share</th></tr></thead>
<tbody>
${holders.map((holder) => renderHolder(holder, total))}</tbody></table>`;
}

function renderHolder(holder: Holder, total: number): Markup {
  const share = total > 0 ? `${((holder.size / total) * 100).toFixed(1)} %` : '';
  return html`<tr><td><span class="swatch ${holder.kind}"></span>${holder.name}</td><td class="number">${formatSize(holder.size)}</td><td class="number">${share}</td></tr>
`;
}

function percent(value: number): string {
  return `${value.toFixed(3)}%`;
}

function programsTable(programs: readonly ReportedProgram[]): Markup {
  if (programs.length === 0) return html`<p>No entry of ours starts an image.</p>`;
  return html`<table class="stack"><caption>Who signed what starts, and whether this machine’s firmware starts it under Secure Boot</caption>
<thead><tr><th scope="col">Program</th><th scope="col">Signed by</th><th scope="col">Firmware</th></tr></thead>
<tbody>
${programs.map(renderProgram)}</tbody></table>
${programs.map(renderRegisters)}`;
}

function renderProgram({ name, signatures = [], starts, problem }: ReportedProgram): Markup {
  const signers = signatures.map(({ signer, valid }) =>
    valid
      ? html`<div>${signer}</div>`
      : html`<div>${signer} <span class="bad">not valid</span></div>`,
  );
  const signed = signers.length > 0 ? signers : html`<span class="quiet">nobody</span>`;
  const verdict = starts === null ? 'cannot tell' : starts ? 'starts it' : 'does not start it';
  return html`<tr><th scope="row">${name}</th><td data-of="Signed by">${problem === undefined ? signed : html`<span class="bad">${problem}</span>`}</td><td data-of="Firmware">${starts === false ? html`<span class="bad">${verdict}</span>` : verdict}</td></tr>
`;
}

function renderRegisters({ name, registers }: ReportedProgram): Markup {
  if (registers === undefined) return html``;
  const signed = registers.filter(({ key }) => key !== undefined).length;
  return html`<details><summary>PCR 11 of ${name}: ${signed === 0 ? 'no phase has a policy' : `${signed} of ${registers.length} phases have a policy`}</summary>
<table class="stack"><thead><tr><th scope="col">Phase</th><th scope="col">PCR 11 (SHA-256)</th><th scope="col">Key of its policy</th></tr></thead>
<tbody>
${registers.map(
  ({ phase, value, key }) =>
    html`<tr><th scope="row" class="mono">${phase}</th><td class="mono" data-of="PCR 11">${value}</td><td class="mono" data-of="Key of its policy">${key ?? 'none'}</td></tr>
`,
)}</tbody></table></details>
`;
}

function loadersTable({ loaders }: ReportedEsp): Markup {
  return html`<h3>The boot loader</h3>
<table class="stack"><tbody>
${loaders.map(
  ({ path, is, problem }) =>
    html`<tr><th scope="row" class="mono">${path}</th><td data-of="Is">${is}</td><td>${problem === undefined ? html`<span class="good">in order</span>` : html`<span class="bad">${problem}</span>`}</td></tr>
`,
)}</tbody></table>`;
}

function notesList({ notes }: ReportedEsp): Markup {
  if (notes.length === 0) return html``;
  return html`<h3>Also there</h3>
<ul>${notes.map(
    ({ path, note }) => html`<li><code>${path}</code>: ${note}</li>
`,
  )}</ul>`;
}
