/** Reads the sets of keys on an ESP that wait for systemd-boot to enrol them. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import { parseAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { KEY_NAMES } from '../secureboot/key-variable.ts';
import type { PerVariable } from '../signer/enrolment.ts';
import { additionFile, keysBelow } from '../signer/key-directory.ts';
import { enrolmentFile } from '../transaction/place-enrolment.ts';

const KEYS = espPath('loader', 'keys');
/** In bytes. The certificates of many vendors take far less. */
const MAX_FILE = 1024 * 1024;

/** The files of one set that exist, by variable. */
export type EnrolmentFiles = Partial<PerVariable<Uint8Array>>;

/** Returns the directory of the set with this name. */
export function enrolmentDirectory(name: string): EspPath {
  return espPath(KEYS, name);
}

/**
 * Returns the names of the sets on an ESP, in order. systemd-boot ignores names with a leading dot.
 */
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

/** Returns the time of the write that adds the next key to db, or added it. */
export function additionTimes(directory: string, disk: Disk): readonly number[] {
  // The write moved along when the next key became db's.
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
