/** What the page shows of one ESP: its menu, a map of its space, and what firmware starts. Pure. */
import type { HeldVolume, Holder } from '../plan/holders.ts';
import { counted, formatSize } from '../quantity.ts';
import type { ReportedEsp, ReportedProgram } from './machine-report.ts';
import { html, type Markup } from './markup.ts';
import { menuSection, nextOn } from './menu-section.ts';
import { type Tile, treemap } from './treemap.ts';
import { MAKE_ROOM } from './words.ts';

/** Returns the sections of an ESP. One that cannot be read has its findings alone. */
export function espSections(esp: ReportedEsp, index: number, count: number): Markup {
  const { volumes, programs, leftOut } = esp;
  const id = (name: string) => `${name}-${index}`;
  const next = nextOn(esp)?.generation;
  const heading = count > 1 ? html`<h2>${esp.esp}</h2>` : undefined;
  if (volumes.length === 0) return html`${heading}`;
  return html`${heading}
${menuSection(esp, id('menu'))}
<section aria-labelledby="${id('space')}"><h2 id="${id('space')}">Who holds the space</h2>
${volumes.map((volume) => renderVolume(volume, next))}
${leftOut.length > 0 ? html`<p><span class="caution">Left out for lack of room</span>: ${leftOut.join(', ')}; ${MAKE_ROOM}</p>` : undefined}</section>
<section aria-labelledby="${id('programs')}"><h2 id="${id('programs')}">Signatures and PCR 11</h2>
${programsTable(programs)}${loadersTable(esp)}${notesList(esp)}
</section>`;
}

/** Width of the map divided by its height. */
const ASPECT = 5 / 2;
/** In percent of both sides. A smaller tile has no room for words; the table below has them. */
const [WIDE_ENOUGH, HIGH_ENOUGH] = [11, 14];

function renderVolume({ path, total, holders }: HeldVolume, next: number | undefined): Markup {
  const free = holders.find(({ kind }) => kind === 'free')?.size ?? 0;
  const summary = `${path}: ${formatSize(total)}, of which ${formatSize(free)} are free`;
  return html`<h3>${path}, ${formatSize(total)}</h3>
<div class="map" role="img" aria-label="${summary}">${treemap(holders, ASPECT).map((tile) => renderTile(tile, next))}</div>
<p class="quiet">Numbers are generations.</p>
<table><thead><tr><th scope="col">Held by</th><th scope="col" class="number">Size</th><th scope="col" class="number">Share</th></tr></thead>
<tbody>
${holders.map((holder) => renderHolder(holder, total, next))}</tbody></table>`;
}

function renderTile({ item, ...place }: Tile<Holder>, next: number | undefined): Markup {
  const { left, top, width, height } = place;
  const isRoomy = width >= WIDE_ENOUGH && height >= HIGH_ENOUGH;
  const isNext = item.generation !== undefined && item.generation === next;
  const name = `${item.generation ?? item.name}${isNext ? ', next' : ''}`;
  const words = html`<b>${name}</b>${formatSize(item.size)}`;
  return html`<div class="tile ${styleOf(item, next)}" style="left: ${percent(left)}; top: ${percent(top)}; width: ${percent(width)}; height: ${percent(height)}" title="${`${item.name}: ${formatSize(item.size)}`}">${isRoomy ? words : undefined}</div>`;
}

function renderHolder(holder: Holder, total: number, next: number | undefined): Markup {
  const share = (holder.size / total) * 100;
  const told = share < 0.1 ? 'under 0.1 %' : `${share.toFixed(1)} %`;
  return html`<tr><td><span class="swatch ${styleOf(holder, next)}"></span>${holder.name}</td><td class="number">${formatSize(holder.size)}</td><td class="number">${told}</td></tr>
`;
}

/** Each kind has a style of its name. */
function styleOf({ kind, generation }: Holder, next: number | undefined): string {
  return generation !== undefined && generation === next ? 'next' : kind;
}

function percent(value: number): string {
  return `${value.toFixed(3)}%`;
}

function programsTable(programs: readonly ReportedProgram[]): Markup {
  if (programs.length === 0) return html`<p>Nothing here is a program of ours.</p>`;
  const measured = programs.filter(({ registers }) => registers !== undefined);
  return html`<table class="stack"><caption>Who signed what starts, and whether this machine’s firmware starts it under Secure Boot</caption>
<thead><tr><th scope="col">Program</th><th scope="col">Signed by</th><th scope="col">Firmware</th><th scope="col">Policies for PCR 11</th></tr></thead>
<tbody>
${programs.map(renderProgram)}</tbody></table>
${measured.length > 0 ? html`<h3>PCR 11 as it will be, under Secure Boot</h3>` : undefined}
${measured.map(renderRegisters)}`;
}

function renderProgram({ name, problem, ...program }: ReportedProgram): Markup {
  const { signatures = [], starts, registers } = program;
  const signers = signatures.map(
    ({ signer, valid }, at) =>
      html`${at > 0 ? ', ' : ''}${signer}${valid ? undefined : html` <span class="bad">not valid</span>`}`,
  );
  const signed = signers.length > 0 ? signers : html`<span class="quiet">nobody</span>`;
  const verdict = starts === null ? 'cannot tell' : starts ? 'starts it' : 'does not start it';
  return html`<tr><th scope="row">${name}</th><td data-of="Signed by">${problem === undefined ? signed : html`<span class="bad">${problem}</span>`}</td><td data-of="Firmware">${starts === false ? html`<span class="bad">${verdict}</span>` : verdict}</td><td data-of="Policies for PCR 11">${registers && policies(registers)}</td></tr>
`;
}

function policies(registers: NonNullable<ReportedProgram['registers']>): string {
  const count = registers.filter(({ key }) => key !== undefined).length;
  return count === 0 ? 'none' : `in ${count} of ${counted(registers.length, 'phase')}`;
}

/** The first of them is at hand, the others on request. */
function renderRegisters({ name, registers = [] }: ReportedProgram, index: number): Markup {
  const rows = registers.map(
    ({ phase, value, key }) =>
      html`<tr><th scope="row" class="mono">${phase}</th><td class="mono" data-of="Value">${value}</td><td class="mono" data-of="Key of its policy">${key ?? 'none'}</td></tr>
`,
  );
  const body = html`<summary>${name}</summary>
<table class="stack"><thead><tr><th scope="col">Phase</th><th scope="col">Value (SHA-256)</th><th scope="col">Key of its policy</th></tr></thead>
<tbody>
${rows}</tbody></table>`;
  return index === 0
    ? html`<details open="">${body}</details>\n`
    : html`<details>${body}</details>\n`;
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
