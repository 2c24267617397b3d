/** Generations over time: when each was built, and what became of it. Pure. */
import type { ReportedGeneration } from './machine-report.ts';
import { html, type Markup } from './markup.ts';
import { dayOf, timeOf } from './words.ts';

/** What a page holds without becoming a burden. */
const MOST_GENERATIONS = 200;

/** Returns the line of time, and every generation below it. */
export function generationsSection(generations: readonly ReportedGeneration[]): Markup {
  if (generations.length === 0) return html``;
  const shown = generations.slice(0, MOST_GENERATIONS);
  const more = generations.length - shown.length;
  return html`<section aria-labelledby="generations"><h2 id="generations">Generations</h2>
${timeLine(shown)}
<table class="stack"><caption>Every generation, the newest first${more > 0 ? `; ${more} older ones are left out` : ''}</caption>
<thead><tr><th scope="col">Generation</th><th scope="col">Built</th><th scope="col">System</th><th scope="col">State</th></tr></thead>
<tbody>
${shown.map(renderRow)}</tbody></table>
</section>`;
}

function renderRow({ name, builtAt, label, states }: ReportedGeneration): Markup {
  const isBroken = states.includes('broken');
  const told = states.length === 0 ? 'not in the menu' : states.join(', ');
  return html`<tr><th scope="row">${name}</th><td data-of="Built">${builtAt === undefined ? undefined : timeOf(builtAt)}</td><td data-of="System">${label}</td><td data-of="State">${isBroken ? html`<span class="bad">${told}</span>` : told}</td></tr>
`;
}

function timeLine(generations: readonly ReportedGeneration[]): Markup {
  const dated = generations.filter(
    (one): one is ReportedGeneration & { builtAt: number } => one.builtAt !== undefined,
  );
  const times = dated.map(({ builtAt }) => builtAt);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  // One moment is no stretch of time.
  if (!(to > from)) return html``;
  return html`<div aria-hidden="true"><div class="time">${dated.map(
    ({ name, builtAt, states }) =>
      html`<span class="${markOf(states)}" style="left: ${(((builtAt - from) / (to - from)) * 100).toFixed(2)}%" title="${`${name}, ${timeOf(builtAt)}`}"></span>`,
  )}</div>
<div class="ends quiet"><span>${dayOf(from)}</span><span>${dayOf(to)}</span></div>
<p class="quiet">Large: boots next. Green: in the menu. Grey: not in the menu.</p></div>`;
}

function markOf(states: readonly string[]): string {
  if (states.includes('next')) return 'next';
  return states.includes('in the menu') ? 'in' : 'out';
}
