/** Names of units: type, prefix, instance, and where a name's drop-ins lie: systemd.unit(5). */

/** `prefix@instance.service`; `instance` is empty for a template and undefined for any other unit. */
export interface UnitName {
  readonly full: string;
  readonly prefix: string;
  readonly instance: string | undefined;
  /** With its dot: `.service`. */
  readonly suffix: string;
}

/** Returns the parts of a unit's name; without a suffix it is that of a service. */
export function parseUnitName(name: string): UnitName {
  const full = /\.[a-z]+$/.test(name) ? name : `${name}.service`;
  const dot = full.lastIndexOf('.');
  const [stem, suffix] = [full.slice(0, dot), full.slice(dot)];
  const at = stem.indexOf('@');
  return {
    full,
    prefix: at < 0 ? stem : stem.slice(0, at),
    instance: at < 0 ? undefined : stem.slice(at + 1),
    suffix,
  };
}

/** The file names that may define the unit, the best first: an instance falls back to its template. */
export function fragmentNames({ full, prefix, instance, suffix }: UnitName): string[] {
  return instance ? [full, `${prefix}@${suffix}`] : [full];
}

/**
 * The names of drop-in directories, the most specific first: the unit's own, its template's, those
 * of each prefix that ends in a dash, that of its type.
 */
export function dropInDirectories(name: UnitName): string[] {
  const words = name.prefix.split('-');
  const dashed = words.slice(1).map((_, index) => words.slice(0, words.length - 1 - index));
  const at = name.instance === undefined ? '' : '@';
  return [
    ...fragmentNames(name),
    ...dashed.map((start) => `${start.join('-')}-${at}${name.suffix}`),
    name.suffix.slice(1),
  ].map((stem) => `${stem}.d`);
}

/** Undoes the escaping of unit names: `-` for `/`, `\xHH` for a byte. */
export function unescapeName(text: string): string {
  return decodeURIComponent(
    text
      .replace(/\\x([\da-f]{2})|%/gi, (_, hex?: string) => `%${hex ?? '25'}`)
      .replaceAll('-', '/')
      .replace(/(?:%[89a-f][\da-f])+/gi, wholeCharacters),
  );
}

/** Bytes that are no UTF-8 must not stop the rest from being read. */
function wholeCharacters(escaped: string): string {
  const bytes = escaped
    .split('%')
    .slice(1)
    .map((hex) => Number.parseInt(hex, 16));
  return encodeURIComponent(new TextDecoder().decode(Uint8Array.from(bytes)));
}
