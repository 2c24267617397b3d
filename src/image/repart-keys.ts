/** The keys of a definition of systemd-repart, and what each makes of its values (repart.d(5)). */
import { isAbsolute } from 'node:path';
import { parseBoolean } from '../confine/unit-syntax.ts';
import type { Contents } from '../tree/contents.ts';
import { parseBytes, splitColons, splitWords } from './definition-values.ts';

/** A value that a key does not take: what was expected. */
export class Unacceptable extends Error {}

/** What the keys of one definition say; a key that was not there is undefined. */
export interface RepartValues {
  readonly Type?: string;
  readonly Label?: string;
  readonly UUID?: string;
  readonly Format?: string;
  readonly CopyBlocks?: string;
  readonly CopyFiles?: readonly Contents[];
  readonly ExcludeFiles?: readonly string[];
  readonly MakeDirectories?: readonly string[];
  readonly MakeSymlinks?: readonly Contents[];
  readonly SizeMinBytes?: number;
  readonly SizeMaxBytes?: number;
  readonly PaddingMinBytes?: number;
  readonly PaddingMaxBytes?: number;
  readonly Weight?: number;
  readonly PaddingWeight?: number;
  readonly Minimize?: 'off' | 'best' | 'guess';
  readonly Verity?: 'off' | 'data' | 'hash' | 'signature';
  readonly VerityMatchKey?: string;
  readonly VerityDataBlockSizeBytes?: number;
  readonly VerityHashBlockSizeBytes?: number;
  readonly Flags?: bigint;
  readonly NoAuto?: boolean;
  readonly ReadOnly?: boolean;
  readonly GrowFileSystem?: boolean;
  readonly SplitName?: string;
  readonly Compression?: string;
  readonly CompressionLevel?: number;
}

/** Returns what the values of one key mean together; an empty value among them begins anew. */
type Reader = (values: readonly string[]) => unknown;

/** Every key that is done here. */
const READERS: Readonly<Record<keyof RepartValues, Reader>> = {
  Type: last(text),
  Label: last(text),
  UUID: last(text),
  Format: last(text),
  CopyBlocks: last((value) => {
    if (value === 'auto') throw new Unacceptable('a path; auto copies a running system');
    return absolute(value);
  }),
  CopyFiles: each(copyFiles),
  ExcludeFiles: each(absolute),
  MakeDirectories: (values) => each(text)(values)?.flatMap(splitWords).map(absolute),
  MakeSymlinks: each(makeSymlink),
  SizeMinBytes: last(bytes),
  SizeMaxBytes: last(bytes),
  PaddingMinBytes: last(bytes),
  PaddingMaxBytes: last(bytes),
  Weight: last(weight),
  PaddingWeight: last(weight),
  Minimize: last((value) =>
    parseBoolean(value) === false ? 'off' : oneOf(['best', 'guess'])(value),
  ),
  Verity: last(oneOf(['off', 'data', 'hash', 'signature'])),
  VerityMatchKey: last(text),
  VerityDataBlockSizeBytes: last(blockSize),
  VerityHashBlockSizeBytes: last(blockSize),
  Flags: last((value) => {
    if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(value))
      throw new Unacceptable('a number of 64 bits');
    return BigInt.asUintN(64, BigInt(value));
  }),
  NoAuto: last(flag),
  ReadOnly: last(flag),
  GrowFileSystem: last(flag),
  SplitName: last(text),
  Compression: last(text),
  CompressionLevel: last((value) => {
    if (!/^\d{1,3}$/.test(value)) throw new Unacceptable('a number');
    return Number(value);
  }),
};

/** Keys that are for a system that runs from the disk, and change no byte of an image made anew. */
export const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...['FactoryReset', 'MountPoint', 'EncryptedVolume', 'Priority'],
]);

/** Keys that systemd-repart has and that are not done here, with the value that means nothing. */
export const NOT_DONE: ReadonlyMap<string, RegExp> = new Map([
  ['Encrypt', /^(off|no|false|0)$/],
  ['EncryptKDF', /^$/],
  ['AddValidateFS', /^(no|off|false|0)$/],
  ['Subvolumes', /^$/],
  ['DefaultSubvolume', /^$/],
  ['SupplementFor', /^$/],
  ['BlockDeviceReplace', /^$/],
  ['VolumeName', /^$/],
  ['TPM2PCRs', /^$/],
  ['KeyFile', /^$/],
  ['Integrity', /^(off|no|false|0)$/],
  ['IntegrityAlgorithm', /^$/],
  ['ExcludeFilesTarget', /^$/],
  ['FileSystemSectorSize', /^$/],
]);

/** Returns whether a key is done here. */
export function isDone(key: string): key is keyof RepartValues {
  return Object.hasOwn(READERS, key);
}

export const KEYS = Object.keys(READERS) as readonly (keyof RepartValues)[];

/** Returns what a key means with these values. @throws {Unacceptable} */
export function readKey(key: keyof RepartValues, values: readonly string[]): unknown {
  return READERS[key](values);
}

function last<T>(read: (value: string) => T): (values: readonly string[]) => T | undefined {
  return (values) => {
    const value = values.at(-1);
    return value === undefined || value === '' ? undefined : read(value);
  };
}

function each<T>(read: (value: string) => T) {
  return (values: readonly string[]): readonly T[] | undefined => {
    const from = values.lastIndexOf('') + 1;
    return values.slice(from).map(read);
  };
}

function text(value: string): string {
  return value;
}

function absolute(value: string): string {
  if (!isAbsolute(value)) throw new Unacceptable('an absolute path');
  return value;
}

function bytes(value: string): number {
  const parsed = parseBytes(value);
  if (parsed === undefined) throw new Unacceptable('a size, as 512M');
  return parsed;
}

function blockSize(value: string): number {
  const parsed = bytes(value);
  const isGood = parsed >= 512 && parsed <= 4096 && Number.isInteger(Math.log2(parsed));
  if (!isGood) throw new Unacceptable('a power of two from 512 to 4096');
  return parsed;
}

function weight(value: string): number {
  if (!/^\d{1,7}$/.test(value) || Number(value) > 1_000_000) {
    throw new Unacceptable('a number up to 1000000');
  }
  return Number(value);
}

function flag(value: string): boolean {
  const parsed = parseBoolean(value);
  if (parsed === undefined) throw new Unacceptable('yes or no');
  return parsed;
}

function oneOf<const Names extends readonly string[]>(names: Names) {
  return (value: string): Names[number] => {
    if (!names.includes(value)) throw new Unacceptable(`one of ${names.join(', ')}`);
    return value;
  };
}

function copyFiles(value: string): Contents {
  const [source = '', target = '', options] = splitColons(value);
  if (options !== undefined && options !== '') {
    throw new Unacceptable('SOURCE or SOURCE:TARGET, without options');
  }
  return {
    kind: 'copy',
    source: absolute(source),
    target: absolute(target === '' ? source : target),
  };
}

function makeSymlink(value: string): Contents {
  const [target = '', to] = splitColons(value);
  if (to === undefined || to === '') throw new Unacceptable('LINK:TARGET');
  return { kind: 'link', target: absolute(target), to };
}
