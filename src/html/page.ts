/** The page of `report`: one HTML document that needs no script and loads nothing. Pure. */
import { espSections } from './esp-sections.ts';
import { generationsSection } from './generations-section.ts';
import type { Finding, MachineReport, ReportedEsp } from './machine-report.ts';
import { html, type Markup, sourceOf } from './markup.ts';
import { nextOn, shownTitle } from './menu-section.ts';
import { STYLE } from './style.ts';
import { dayOf, timeOf } from './words.ts';

/** Returns the document. Nothing in it is foreign markup, and by its own policy a browser would run none. */
export function reportPage(report: MachineReport): string {
  const { esps, generations, at } = report;
  const body = html`<header><h1>Boot report</h1>
<p class="quiet">Made ${timeOf(at)} by <code>espalier report</code></p>
${verdict(report)}</header>
<main>
${findingsSection(report)}
${esps.map((esp, index) => espSections(esp, index, esps.length))}
${generationsSection(generations)}
</main>
<footer><p>Sizes are in whole clusters, as they are taken. What files tell is shown; an EFI variable may choose another entry.</p></footer>`;
  const head = `<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Boot report, ${dayOf(at)}</title>
<style>${STYLE}</style>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
${head}
</head>
<body>
${sourceOf(body)}
</body>
</html>
`;
}

function allFindings({ findings, esps }: MachineReport): readonly Finding[] {
  return [...findings, ...esps.flatMap((esp) => esp.findings)];
}

/** Whether it starts and what, whether that is wanted, and whether something is to be done. */
function verdict(report: MachineReport): Markup {
  const { esps, booted } = report;
  const [primary] = esps;
  const next = primary && nextOn(primary);
  const all = allFindings(report);
  const fatal = all.filter(({ weight }) => weight === 'bad').length;
  const starts =
    next === undefined
      ? html`<span class="bad">nothing</span>`
      : html`${shownTitle(next, primary?.menu ?? [])}`;
  const done =
    all.length === 0
      ? html`<span class="good">nothing</span>`
      : html`<span class="${fatal > 0 ? 'bad' : 'caution'}">${all.length} ${all.length === 1 ? 'finding' : 'findings'}${fatal > 0 ? `, ${fatal} of which may keep it from starting` : ''}</span>`;
  return html`<dl class="verdict">
<div class="panel"><dt>Boots next</dt><dd>${starts}</dd></div>
<div class="panel"><dt>Runs now</dt><dd>${running(primary, booted)}</dd></div>
<div class="panel"><dt>To be done</dt><dd>${done}</dd></div>
</dl>`;
}

function running(primary: ReportedEsp | undefined, booted: string | undefined): string {
  const entry = primary?.menu.find((one) => one.booted);
  if (entry) return shownTitle(entry, primary?.menu ?? []);
  return booted === undefined ? 'not known' : `${booted}, which has no entry`;
}

function findingsSection(report: MachineReport): Markup {
  const all: readonly (readonly [string, readonly Finding[]])[] = [
    ['Generations', report.findings],
    ...report.esps.map(({ esp, findings }) => [esp, findings] as const),
  ];
  const found = all.filter(([, findings]) => findings.length > 0);
  if (found.length === 0) {
    return html`<section aria-labelledby="findings"><h2 id="findings">Findings</h2>
<p><span class="good">All is well</span> as far as names, sizes and headers tell; <code>espalier verify --deep</code> reads every byte.</p></section>`;
  }
  return html`<section aria-labelledby="findings"><h2 id="findings">Findings</h2>
${found.map(([of, findings]) => html`<h3>${of}</h3>\n<ul class="findings">${findings.map(renderFinding)}</ul>`)}
</section>`;
}

function renderFinding({ weight, path, text, details = [], next }: Finding): Markup {
  const isFatal = weight === 'bad';
  const word = html`<span class="${weight}">${isFatal ? 'May not start' : 'Needs a look'}</span>`;
  return html`<li class="panel${isFatal ? ' fatal' : ''}"><p>${word} ${path === undefined ? undefined : html`<code>${path}</code>: `}${text}</p>
${detailsList(details)}${next === undefined ? undefined : html`<p>Next step: <code>${next}</code></p>`}</li>
`;
}

/** An ESP that was replaced lacks every file. */
const MOST_DETAILS = 10;

function detailsList(details: readonly string[]): Markup | undefined {
  if (details.length === 0) return undefined;
  const more = details.length - MOST_DETAILS;
  const shown = [...details.slice(0, MOST_DETAILS), ...(more > 0 ? [`and ${more} more`] : [])];
  return html`<ul class="mono">${shown.map((detail) => html`<li>${detail}</li>`)}</ul>
`;
}
