/**
 * Root hashes on the kernel command line (systemd-veritysetup-generator(8),
 * kernel-command-line(7)).
 */
import { EspError } from '../error.ts';
import { DESIGNATORS, type Designator } from '../gpt/partition-type.ts';
import { isRootHash, partitionUuids } from './root-hash.ts';

/** What the kernel does when a block contradicts the root hash. Without it, the read fails. */
type OnCorruption = 'ignore' | 'restart' | 'panic';

const CORRUPTION: Readonly<Record<OnCorruption, string>> = {
  ignore: 'ignore-corruption',
  restart: 'restart-on-corruption',
  panic: 'panic-on-corruption',
};

/** How a system sets up the device of a root hash. Omitted fields follow from the hash. */
export interface DeviceOptions {
  readonly designator: Designator;
  /** Hexadecimal. */
  readonly rootHash: string;
  /** Device of the data, written as in /etc/fstab. */
  readonly data?: string;
  /** Device of the hash area. It is the data's device when the area lies behind the data. */
  readonly hash?: string;
  /** Where the hash area begins on its device, in bytes. */
  readonly hashOffset?: number;
  readonly dataBlocks?: number;
  readonly onCorruption?: OnCorruption;
  readonly ignoreZeroBlocks?: boolean;
  readonly checkAtMostOnce?: boolean;
  /** Path of a signature in DER, or `base64:` and a signature, or `auto`. */
  readonly rootHashSignature?: string;
  /** Other options of systemd-veritysetup: `fec-roots=2`. */
  readonly others?: readonly string[];
}

/**
 * Returns the words for a device, the one with the root hash first.
 * @throws {CONFIG_INVALID} when a value cannot stand on a command line
 */
export function verityWords(options: DeviceOptions): readonly string[] {
  const { designator } = options;
  const rootHash = options.rootHash.toLowerCase();
  if (!isRootHash(rootHash)) throw invalid(`${designator}hash`, 'a root hash', rootHash);
  // The second half of the hash finds no partition when data and hash area share one.
  const isOne = options.hashOffset !== undefined && options.hash === undefined;
  const data = options.data ?? (isOne ? `PARTUUID=${partitionUuids(rootHash).data}` : undefined);
  const list = deviceOptions(options);
  for (const option of list) requireWord(`${designator} options`, option, /[\s",]/);
  const keys: readonly (readonly [key: string, value: string | undefined])[] = [
    ['data', data],
    ['hash', isOne ? data : options.hash],
    ['options', list.join(',') || undefined],
  ];
  return [
    `${designator}hash=${rootHash}`,
    ...keys.flatMap(([key, value]) => {
      if (value === undefined) return [];
      requireWord(`${designator} ${key}`, value, /[\s"]/);
      return [`systemd.verity_${designator}_${key}=${value}`];
    }),
  ];
}

function deviceOptions(options: DeviceOptions): string[] {
  const { hashOffset, dataBlocks, onCorruption, rootHashSignature, others = [] } = options;
  const list: readonly (string | false | undefined)[] = [
    hashOffset !== undefined && `hash-offset=${hashOffset}`,
    dataBlocks !== undefined && `data-blocks=${dataBlocks}`,
    onCorruption && CORRUPTION[onCorruption],
    options.ignoreZeroBlocks && 'ignore-zero-blocks',
    options.checkAtMostOnce && 'check-at-most-once',
    rootHashSignature && `root-hash-signature=${rootHashSignature}`,
    ...others,
  ];
  return list.filter((option) => typeof option === 'string');
}

/** Words are never quoted on this command line: initrd and kernel disagree on quotes. */
function requireWord(what: string, value: string, bad: RegExp): void {
  if (value !== '' && !bad.test(value) && !/\p{Cc}/u.test(value)) return;
  throw invalid(what, 'no blanks, quotes, commas in an option, or control characters', value);
}

function invalid(what: string, expected: string, got: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `${what}: expected ${expected}, got ${JSON.stringify(got)}`,
  );
}

/** Returns the root hashes that a command line names, in lower case. */
export function rootHashesOnCmdline(
  cmdline: string,
): Readonly<Partial<Record<Designator, string>>> {
  const words = assignments(cmdline);
  const [root, usr] = [words.get('roothash'), words.get('usrhash')];
  return { ...(root !== undefined && { root }), ...(usr !== undefined && { usr }) };
}

/** The device of a root hash, as far as a command line names it. */
export interface NamedDevice {
  readonly designator: Designator;
  /** The text as written, in lower case. It may be no valid root hash. */
  readonly rootHash: string;
  /** The device, written as in /etc/fstab. Without it, both devices follow from the root hash. */
  readonly data: string | undefined;
  readonly hash: string | undefined;
  /**
   * Where the hash area begins on its device, in bytes; undefined when the command line does not
   * say.
   */
  readonly hashOffset: number | undefined;
}

/** Returns the devices of all root hashes that a command line names: the inverse of {@link verityWords}. */
export function devicesOnCmdline(cmdline: string): readonly NamedDevice[] {
  const words = assignments(cmdline);
  return DESIGNATORS.flatMap((designator) => {
    const rootHash = words.get(`${designator}hash`);
    if (rootHash === undefined) return [];
    const named = (key: string) => words.get(`systemd.verity_${designator}_${key}`);
    const offset = /(?:^|,)hash-offset=(\d+)(?:,|$)/.exec(named('options') ?? '')?.[1];
    return {
      designator,
      rootHash,
      data: named('data'),
      hash: named('hash'),
      hashOffset: offset === undefined ? undefined : Number(offset),
    };
  });
}

/**
 * Appends words of {@link verityWords} to a command line. Words that it has already are left out.
 * @throws {CONFIG_INVALID} when it says something else, naming both
 */
export function appendVerity(cmdline: string, words: readonly string[]): string {
  return [cmdline, ...missingWords(cmdline, words)].filter((part) => part !== '').join(' ');
}

/**
 * Returns the words of {@link verityWords} that a command line does not have yet.
 * @throws {CONFIG_INVALID} when the command line contradicts them; the message names both
 */
export function missingWords(cmdline: string, words: readonly string[]): readonly string[] {
  const before = assignments(cmdline);
  return words.filter((word) => {
    const [key, value] = split(word);
    const said = before.get(key);
    if (said === undefined || said === value) return said === undefined;
    throw new EspError('CONFIG_INVALID', `command line: expected ${word}, got ${key}=${said}`, {
      hint: 'leave it out there, or name the source that it comes from',
    });
  });
}

/**
 * Returns the assignments as systemd reads them: a word in quotes may hold blanks; `rd.` before a
 * key makes it count for the initrd; a dash in a key equals an underscore; the last assignment
 * counts.
 */
function assignments(cmdline: string): ReadonlyMap<string, string> {
  const words = cmdline.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return new Map(words.map((word) => split(word.replaceAll('"', ''))));
}

function split(word: string): readonly [key: string, value: string] {
  const at = word.indexOf('=');
  const key = (at < 0 ? word : word.slice(0, at)).replace(/^rd\./, '').replaceAll('-', '_');
  const value = at < 0 ? '' : word.slice(at + 1);
  return [key, ROOT_HASH_KEYS.includes(key) ? value.toLowerCase() : value];
}

const ROOT_HASH_KEYS = ['roothash', 'usrhash'];
