/** Short names: which alias a long name gets, and how one is shown (Linux fs/fat/namei_vfat.c). */

/** Characters that no name may have, besides those that control a terminal. */
const FORBIDDEN = /[*?<>|":/\\]/;
/** Characters of a short name, besides capital letters and digits. */
const PLAIN = /[A-Z0-9!#$%&'()\-@^_`{}~]/;
const BLANK = 0x20;
/** The longest name in UTF-16 units. */
const LONGEST = 255;

/** Returns a name as FAT keeps it: without the dots at its end. Undefined when none can be so called. */
export function keptName(name: string): string | undefined {
  const kept = name.replace(/\.+$/, '');
  const isName = kept !== '' && kept.length <= LONGEST && !kept.endsWith(' ');
  return isName && !FORBIDDEN.test(kept) && !hasControls(kept) ? kept : undefined;
}

function hasControls(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (name.charCodeAt(index) < BLANK) return true;
  }
  return false;
}

/** Returns what two names have in common that are one to FAT: it ignores case. */
export function folded(name: string): string {
  const upper = name.toUpperCase();
  if (upper.length === name.length) return upper;
  // Windows and firmware change unit by unit: ß stays, where a text would get longer.
  return Array.from({ length: name.length }, (_, index) => {
    const unit = name.charAt(index).toUpperCase();
    return unit.length === 1 ? unit : name.charAt(index);
  }).join('');
}

/** A short name: 11 bytes, and whether it says all that the name does. */
export interface Alias {
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
}

/**
 * Returns the alias of a name in a directory.
 * @param isTaken whether a short name, as {@link shownAlias} gives it, is in use there
 * @returns undefined when the name is taken: its alias is another file's
 */
export function aliasFor(name: string, isTaken: (shown: string) => boolean): Alias | undefined {
  const { base, extension, fits, isCapital } = shortened(name);
  const at = (text: string) => toBytes(text, extension);
  if (fits) {
    const bytes = at(base);
    return isTaken(shownAlias(bytes)) ? undefined : { bytes, isWhole: isCapital };
  }
  for (const text of numbered(name, base)) {
    const bytes = at(text);
    if (!isTaken(shownAlias(bytes))) return { bytes, isWhole: false };
  }
  return undefined;
}

/** Returns names with a number: nine that keep six characters, then those that keep two. */
function* numbered(name: string, base: string): Generator<string> {
  for (let number = 1; number < 10; number++) yield `${base.slice(0, 6)}~${number}`;
  // The kernel begins at the time of day. Here equal names begin alike, so that equal runs do.
  let at = spread(name);
  for (let tries = 0; tries < 0x1_0000; tries++) {
    yield `${base.slice(0, 2)}${at.toString(16).toUpperCase().padStart(4, '0')}~1`;
    at = (at + 0x1_0000 - 11) % 0x1_0000;
  }
}

function spread(name: string): number {
  let sum = 0;
  for (let index = 0; index < name.length; index++) {
    sum = (sum * 31 + name.charCodeAt(index)) % 0x1_0000;
  }
  return sum;
}

interface Shortened {
  readonly base: string;
  readonly extension: string;
  /** Whether nothing was left out or replaced. */
  readonly fits: boolean;
  /** Whether the name has no small letters. */
  readonly isCapital: boolean;
}

function shortened(name: string): Shortened {
  const dot = name.lastIndexOf('.');
  // A name such as `.config` is no extension.
  const isExtension = dot > 0 && /[^. ]/.test(name.slice(0, dot));
  const [base, extension] = isExtension ? [name.slice(0, dot), name.slice(dot + 1)] : [name, ''];
  const [short, shortExtension] = [characters(base), characters(extension)];
  return {
    base: short.slice(0, 8),
    extension: shortExtension.slice(0, 3),
    fits: isPlain(base) && isPlain(extension) && short.length <= 8 && shortExtension.length <= 3,
    isCapital: name === name.toUpperCase(),
  };
}

/** Leaves out blanks and dots, and puts a line where a character is none of a short name. */
function characters(text: string): string {
  return Array.from({ length: text.length }, (_, index) => text.charAt(index))
    .filter((unit) => unit !== ' ' && unit !== '.')
    .map((unit) => capital(unit) ?? '_')
    .join('');
}

function isPlain(text: string): boolean {
  return Array.from({ length: text.length }, (_, index) => text.charAt(index)).every(
    (unit) => capital(unit) !== undefined,
  );
}

function capital(unit: string): string | undefined {
  const upper = /[a-z]/.test(unit) ? unit.toUpperCase() : unit;
  return PLAIN.test(upper) ? upper : undefined;
}

function toBytes(base: string, extension: string): Uint8Array {
  return new TextEncoder().encode(base.padEnd(8) + extension.padEnd(3));
}

/** What the bytes above ASCII mean on the machines of most people (code page 437). */
const UPPER =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌' +
  '█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
/** A first byte that stands for the one that marks a removed name. */
const ESCAPED = 0x05;
/** Bits that say that the base, or the extension, is shown in small letters. */
const LOWER = { base: 0x08, extension: 0x10 } as const;

/** Returns a short name as text. `flags` are those of its record that tell its case. */
export function shownAlias(bytes: Uint8Array, flags = 0): string {
  const text = Array.from(bytes.subarray(0, 11), (byte, index) => {
    const real = index === 0 && byte === ESCAPED ? 0xe5 : byte;
    return real < 0x80 ? String.fromCharCode(real) : UPPER.charAt(real - 0x80);
  }).join('');
  const cased = (part: string, lower: number) =>
    (flags & lower) === 0 ? part : part.toLowerCase();
  const base = cased(text.slice(0, 8).trimEnd(), LOWER.base);
  const extension = cased(text.slice(8).trimEnd(), LOWER.extension);
  return extension === '' ? base : `${base}.${extension}`;
}

/** The record's byte that tells the case of a short name. */
export const CASE_AT = 12;

/**
 * Returns a volume's label as 11 bytes.
 * @returns undefined when no label can be so
 */
export function labelBytes(label: string): Uint8Array | undefined {
  if (!/^[ -~]{0,11}$/.test(label) || /[*?.,;:/\\|+=<>[\]"]|^ /.test(label)) return undefined;
  const bytes = new Uint8Array(11).fill(BLANK);
  bytes.set(new TextEncoder().encode(label));
  return bytes;
}
