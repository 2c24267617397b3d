/** Many names in one line of text. Pure. */

/** How many of them are named. */
const NAMED = 8;

/** Returns the names with commas between them, and how many more there are. */
export function enumerated(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
