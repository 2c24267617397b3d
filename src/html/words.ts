/** Times and names as a person reads them. Pure. */

/** Returns the day of a time in seconds since the epoch, in UTC. */
export function dayOf(seconds: number): string {
  return timeOf(seconds).slice(0, 10);
}

/** Returns a time in seconds since the epoch to the minute, in UTC. */
export function timeOf(seconds: number): string {
  const at = new Date(seconds * 1000);
  // A file system may tell any number.
  return Number.isNaN(at.getTime())
    ? 'at no known time'
    : at.toISOString().replace(/T(.{5}).*/, ' $1 UTC');
}
/** How there is room for one more generation. */
export const MAKE_ROOM =
  'espalier gc frees what nothing needs, and a lower --limit keeps fewer generations';
