/** The sets of keys that lie on an ESP for systemd-boot to enrol. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import { parseAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { KEY_NAMES } from '../secureboot/key-variable.ts';
import type { PerVariable } from '../signer/enrolment.ts';
import { additionFile, keysBelow } from '../signer/key-directory.ts';
import { enrolmentFile } from '../transaction/place-enrolment.ts';

const KEYS = espPath('loader', 'keys');
/** Far more than the certificates of many vendors take: bytes. */
const MAX_FILE = 1024 * 1024;

/** The files of one set, as far as they are there, by their variable. */
export type EnrolmentFiles = Partial<PerVariable<Uint8Array>>;

/** Returns the directory of the set of this name. */
export function enrolmentDirectory(name: string): EspPath {
  return espPath(KEYS, name);
}

/** Returns the names of the sets on an ESP, in order; systemd-boot passes over those with a dot in front. */
export function enrolmentNames(root: string, disk: Disk): readonly string[] {
  return (disk.list(`${root}/${KEYS}`) ?? [])
    .filter(({ name, kind }) => kind === 'directory' && !name.startsWith('.'))
    .map(({ name }) => name);
}

/** Reads the files of a set. */
export function readEnrolment(root: string, directory: EspPath, disk: Disk): EnrolmentFiles {
  return Object.fromEntries(
    KEY_NAMES.flatMap((variable) => {
      const path = `${root}/${enrolmentFile(directory, variable)}`;
      return disk.stat(path)?.kind === 'file' ? [[variable, disk.read(path, MAX_FILE)]] : [];
    }),
  );
}

/** Returns the times, in seconds since the epoch, of all writes on an ESP that can be read. */
export function enrolmentTimes(root: string, disk: Disk): readonly number[] {
  return enrolmentNames(root, disk).flatMap((name) =>
    Object.values(readEnrolment(root, enrolmentDirectory(name), disk)).flatMap(timeOf),
  );
}

/** Returns the time of the write that adds, or added, the next key to db, if there is one. */
export function additionTimes(directory: string, disk: Disk): readonly number[] {
  // The key that was the next one has it with it when it has become db's.
  return [additionFile(directory), `${keysBelow(directory)}/db/db.auth`].flatMap((path) =>
    disk.stat(path)?.kind === 'file' ? timeOf(disk.read(path, MAX_FILE)) : [],
  );
}

function timeOf(bytes: Uint8Array): readonly number[] {
  try {
    return [parseAuthenticatedWrite(bytes).time];
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}
