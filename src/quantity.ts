/** Numbers as people say them: sizes with a unit, and counts with their noun. */

/** Returns a number of bytes as a person reads it. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** From here on a person counts digits. */
const MANY_BYTES = 10_000;

/** Returns a number of bytes to the byte, for two that are compared: what is many has its unit behind it. */
export function exactSize(bytes: number): string {
  const exact = counted(bytes, 'byte');
  return bytes < MANY_BYTES ? exact : `${exact} (${formatSize(bytes)})`;
}

/** Returns what a person may choose from, as a hint. */
export function choices(names: readonly string[]): string {
  if (names.length === 0) return 'there is none';
  return names.length === 1 ? `there is only ${names[0]}` : `name one of ${names.join(', ')}`;
}

/** Returns the first of many names with commas between them, and how many more there are. */
export function enumerated(names: readonly (string | number)[], most = 8): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns how many there are: `1 file`, `2 files`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
