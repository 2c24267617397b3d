/** Makes foreign text safe to show. It stands apart from tables: most runs show text and need no widths. */

/**
 * Returns foreign text in a form that is safe to show. Titles, names and paths come from the ESP,
 * where anyone may have put terminal control codes.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, '�').slice(0, 200);
}
