/** HTML in which foreign text cannot become markup: whatever is put into a template is escaped. Pure. */

/** HTML that a template made. Nothing else has the key. */
export interface Markup {
  readonly [MARKUP]: string;
}

/** What stands in a template: text, which is escaped, markup, or nothing. */
export type Part = string | number | undefined | Markup | readonly Part[];

const MARKUP = Symbol('markup');

/** In characters. A file may hold megabytes where a title should be. */
const MAX_TEXT = 300;

/** Returns the markup of a template, with every text in it escaped, in contents and quoted values alike. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { [MARKUP]: String.raw({ raw: texts }, ...parts.map(textIn)) };
}

/** Returns the HTML itself. */
export function sourceOf(markup: Markup): string {
  return markup[MARKUP];
}

function textIn(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  return MARKUP in part ? part[MARKUP] : part.map(textIn).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control codes turn text around and are no characters of HTML. */
function escaped(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
  return cut
    .toWellFormed()
    .replace(/\p{Cc}|\p{Cf}|\p{Cn}/gu, '�')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
