/** The names of unfinished files of ours, and what vfat makes of a name that it could not finish. */
import { BLOB_KINDS, ENTRY_KINDS } from './layout.ts';

const TEMPORARY = /^\.espalier-(\d{1,10}|\d{231})-\d{1,10}\.tmp$/;

/**
 * Returns a name for a file while it is written. systemd-boot ignores names with a dot in front.
 */
export function temporaryName(processId: number, count: number): string {
  return `.espalier-${processId}-${count}.tmp`;
}

const PLACEHOLDER = /^ESPL\d{4}\.TMP$/i;

/** Returns a name that takes one slot of a FAT directory. `index` is below 10000. */
export function placeholderName(index: number): string {
  return `ESPL${String(index).padStart(4, '0')}.TMP`;
}

/** Returns a name that takes 20 slots of a FAT directory: one, and 19 for its 247 characters. */
export function widePlaceholderName(index: number): string {
  return `.espalier-${String(index).padStart(231, '0')}-0.tmp`;
}

/** Returns whether a name is that of an unfinished file of ours. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name) || PLACEHOLDER.test(name) || isShortNameOf('.espalier-.tmp', name);
}

/** Our names that vfat shortens. The names of entries follow the token. */
const LONG_NAMES = [
  ...Object.keys(BLOB_KINDS).map((kind) => `${kind}-.efi`),
  ...['extra-files-.txt', 'espalier-settings.conf'],
  ...['systemd-boot.efi', 'loader.conf', 'entries.srel'],
];

/**
 * Returns whether a name is the short name that vfat gave to a file of ours whose long name was
 * lost. Power failed while the name was made. The file is empty, because its content gets the name
 * last.
 */
export function isShortName(token: string, name: string): boolean {
  const entries = Object.values(ENTRY_KINDS).map(({ suffix }) => `${token}-generation-${suffix}`);
  return [...LONG_NAMES, ...entries].some((long) => isShortNameOf(long, name));
}

/** vfat shortens a name to six characters and a number; when those are taken, to two and a hash. */
function isShortNameOf(long: string, name: string): boolean {
  // Nearly every name lacks a `~`, and so needs no further check.
  if (!name.includes('~')) return false;
  const dot = long.lastIndexOf('.');
  const [base, extension] = [long.slice(0, dot), long.slice(dot + 1)].map((part) =>
    part
      .replace(/[. ]/g, '')
      .replace(/[+,;=[\]]/g, '_')
      .toUpperCase(),
  );
  const [, found = '', end] = /^([^~.]{1,6})~[1-9]\.(\w{3})$/.exec(name.toUpperCase()) ?? [];
  if (base === undefined || extension === undefined || end !== extension.slice(0, 3)) return false;
  return (
    found.startsWith(base.slice(0, 6)) ||
    (/^[0-9A-F]{4}$/.test(found.slice(2)) && found.startsWith(base.slice(0, 2)))
  );
}
