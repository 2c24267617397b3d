/** Where the keys of a machine's owner lie: a directory as sbctl makes and reads it. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type Guid, parseGuid } from '../guid.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';

/** Where sbctl keeps keys, and where lanzaboote looks for them. */
export const KEY_DIRECTORY = '/var/lib/sbctl';

/** Returns the directory of all the keys. */
export function keysBelow(directory: string): string {
  return `${directory}/keys`;
}

/** Returns the file of the GUID by which the owner's entries in a variable are known. */
export function ownerFile(directory: string): string {
  return `${directory}/GUID`;
}

/** What a key is called there: by its variable, or as the one that is to become db's. */
export type KeyName = KeyVariable | typeof NEXT;

/** The directory of the key that is to take the place of db's, which sbctl passes over. */
export const NEXT = 'db.next';

/** Returns the names of the two files of a key, below {@link keysBelow}. */
export function keyFileNames(name: KeyName): {
  readonly certificate: string;
  readonly privateKey: string;
} {
  const file = name === NEXT ? 'db' : name;
  return { certificate: `${name}/${file}.pem`, privateKey: `${name}/${file}.key` };
}

/** Returns the file with the write that adds the next key to db in firmware. */
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
