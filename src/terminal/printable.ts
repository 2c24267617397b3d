/** Makes foreign text safe to show. It stands apart from tables: most runs show text and need no widths. */

/**
 * Returns foreign text in a form that is safe to show, cut where it is long. Titles, names and paths come
 * from the ESP, where anyone may have put terminal control codes.
 */
export function printable(text: string): string {
  return harmless(text).slice(0, 200);
}

/** Returns foreign text as {@link printable} does, and all of it. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, '�');
}
