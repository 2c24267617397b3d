/** The boot menu as systemd-boot shows it. Pure. */
import type { MenuEntry } from '../plan/menu.ts';
import { isBad } from '../plan/menu-order.ts';
import type { ReportedEsp } from './machine-report.ts';
import { html, type Markup } from './markup.ts';

/** A screen of the loader shows fewer; crafted files may make many more. */
const MOST_ENTRIES = 200;

/** Returns the entry that boots when nobody chooses. */
export function nextOn({ menu }: ReportedEsp): MenuEntry | undefined {
  return menu.find((entry) => entry.default);
}

/**
 * Returns the line that the loader shows for an entry: its title, and behind one that others have too its
 * version, and behind that its file name (systemd-boot(7), boot.c §generate_boot_entry_titles).
 */
export function shownTitle(entry: MenuEntry, menu: readonly MenuEntry[]): string {
  const forms: readonly ((one: MenuEntry) => string)[] = [
    ({ title, id }) => title ?? id,
    (one) => `${one.title ?? one.id}${one.version === undefined ? '' : ` (${one.version})`}`,
  ];
  const form = forms.find(
    (shown) => menu.filter((one) => shown(one) === shown(entry)).length === 1,
  );
  return form?.(entry) ?? `${forms[1]?.(entry)} (${entry.id})`;
}

/** Returns the menu as a picture of the loader's screen, and the entries as a table below it. */
export function menuSection(esp: ReportedEsp, id: string): Markup {
  const { menu, timeout } = esp;
  const shown = menu.slice(0, MOST_ENTRIES);
  const titles = titlesOf(shown);
  const more = menu.length - shown.length;
  return html`<section aria-labelledby="${id}"><h2 id="${id}">The menu</h2>
<p class="quiet">What the loader will show, without the entries that it adds by itself.</p>
<div class="menu"><ol>
${shown.map((entry, index) => renderLine(entry, titles[index] ?? ''))}
</ol>${more > 0 ? html`<p>and ${more} more</p>` : undefined}<p>${untilStart(timeout, menu)}</p></div>
</section>`;
}

/** Titles that several have are rare, and a crowd of entries is compared once. */
function titlesOf(menu: readonly MenuEntry[]): readonly string[] {
  return menu.map((entry) => shownTitle(entry, menu));
}

function renderLine(entry: MenuEntry, title: string): Markup {
  const { counter, damage } = entry;
  const tries =
    counter === undefined || counter.triesLeft === 0 ? '' : `, ${counter.triesLeft} tries left`;
  const state = `${damage === undefined ? '' : ', damaged'}${isBad(entry) ? ', never came up' : tries}`;
  const mark = entry.default
    ? html`<li class="chosen" aria-current="true">${title}${state} <span aria-hidden="true">◀</span></li>`
    : html`<li>${title}${state}</li>`;
  return html`${mark}
`;
}

/** loader.conf(5) §timeout. */
function untilStart(timeout: string | undefined, menu: readonly MenuEntry[]): string {
  if (menu.length === 0) return 'There is no entry.';
  if (timeout === 'menu-force') return 'The menu stays until somebody chooses.';
  const isHidden = timeout === undefined || timeout === '0' || timeout.startsWith('menu-');
  if (isHidden) return 'The menu is hidden: hold the space bar while the machine starts.';
  return `The marked entry boots in ${timeout} s, unless a key is pressed.`;
}
