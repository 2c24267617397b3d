/** The layout of the owner's key directory, which sbctl shares. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type Guid, parseGuid } from '../guid.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';

/** sbctl keeps keys here, and lanzaboote looks for them here. */
export const KEY_DIRECTORY = '/var/lib/sbctl';

/** Returns the directory of all the keys. */
export function keysBelow(directory: string): string {
  return `${directory}/keys`;
}

/** Returns the file with the GUID that marks the owner's entries in a variable. */
export function ownerFile(directory: string): string {
  return `${directory}/GUID`;
}

/** The name of a key in the directory: its variable, or that of the next key of db. */
export type KeyName = KeyVariable | typeof NEXT;

/** The directory of the key that will replace db's. sbctl ignores it. */
export const NEXT = 'db.next';

/** Returns the names of the two files of a key, below {@link keysBelow}. */
export function keyFileNames(name: KeyName): {
  readonly certificate: string;
  readonly privateKey: string;
} {
  const file = name === NEXT ? 'db' : name;
  return { certificate: `${name}/${file}.pem`, privateKey: `${name}/${file}.key` };
}

/** Returns the file with the update that adds the next key to firmware's db. */
export function additionFile(directory: string): string {
  return `${keysBelow(directory)}/${NEXT}/db.auth`;
}

/**
 * Returns the owner's GUID, or undefined when there is none yet.
 * @throws {KEY_INVALID} when the file holds something else
 */
export function readOwner(directory: string, disk: Disk): Guid | undefined {
  const path = ownerFile(directory);
  if (disk.stat(path) === undefined) return undefined;
  const owner = parseGuid(new TextDecoder().decode(disk.read(path, MAX_OWNER_FILE)).trim());
  if (owner !== undefined) return owner;
  throw new EspError('KEY_INVALID', `${path}: expected a GUID, got something else`, {
    hint: 'write one into it: uuidgen -r',
  });
}

const MAX_OWNER_FILE = 256;
