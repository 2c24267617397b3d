/** The files from which systemd-boot enrols keys: all three of one making, or fewer than it takes. */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath, temporaryName } from '../esp/layout.ts';
import { scanTemporaries } from '../esp/temporaries.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';
import { fill } from './assemble.ts';

/** The ESP, and who writes to it. */
export interface EnrolmentPlacing {
  readonly disk: WritableDisk;
  /** Where the ESP is mounted. */
  readonly root: string;
  readonly processId: number;
}

/** In the order in which they appear: the one without which nothing is enrolled comes last. */
const ORDER = ['dbx', 'db', 'KEK', 'PK'] as const satisfies readonly (KeyVariable | 'dbx')[];

/** Returns the file of a variable in a directory of keys (systemd-boot(7)). */
export function enrolmentFile(directory: EspPath, variable: KeyVariable | 'dbx'): EspPath {
  return espPath(directory, `${variable}.auth`);
}

/**
 * Writes the files of a set of keys, whole and durable. systemd-boot enrols nothing from a directory
 * in which one of the three is missing, and a mixture of two sets may enrol a PK whose db does not let
 * anything boot: so PK goes first and comes last.
 * @throws {IO} when the directory was left by a power failure in a state that only fsck.fat can mend
 */
export async function placeEnrolment(
  directory: EspPath,
  writes: Readonly<Record<KeyVariable, Uint8Array>> & { readonly dbx?: Uint8Array },
  { disk, root, processId }: EnrolmentPlacing,
): Promise<void> {
  const place = `${root}/${directory}`;
  disk.makeDirectory(place);
  sweep(directory, disk, root);
  const staged = ORDER.flatMap((variable) => {
    const bytes = writes[variable];
    return bytes === undefined ? [] : [{ variable, bytes }];
  }).map(({ variable, bytes }, count) => ({
    bytes,
    temporary: `${place}/${temporaryName(processId, count)}`,
    path: `${root}/${enrolmentFile(directory, variable)}`,
  }));
  try {
    for (const { bytes, temporary } of staged) {
      await fill(disk, temporary, (file) => file.write(bytes));
    }
    // SAFETY: nothing boots from these files. Without PK nothing is enrolled either: the machine
    // boots what it booted before, in Setup Mode.
    disk.remove(`${root}/${enrolmentFile(directory, 'PK')}`);
    // SAFETY: the barrier: the old PK is gone before anything new is beside it.
    disk.syncDirectory(place);
    for (const { temporary, path } of staged) {
      // SAFETY: the set is not complete before its last file, PK, has its name, and by then the
      // others are durable under theirs.
      disk.rename(temporary, path);
      // SAFETY: the barrier that says so; on FAT the name leads to the content only after the second.
      disk.syncDirectory(place);
      disk.syncFile(path);
    }
  } catch (error) {
    // SAFETY: nothing boots and nothing is enrolled from a temporary name.
    for (const { temporary } of staged) disk.remove(temporary);
    throw error;
  }
}

/** Removes what a killed run left in the directory. */
function sweep(directory: EspPath, disk: WritableDisk, root: string): void {
  const files = (disk.list(`${root}/${directory}`) ?? [])
    .filter(({ kind }) => kind === 'file')
    .map(({ name }) => ({ name, path: espPath(directory, name) }));
  for (const { path, twin } of scanTemporaries(disk, root, files)) {
    if (twin !== undefined) {
      throw new EspError('IO', `${root}/${path}: expected a file of its own, got that of ${twin}`, {
        hint: 'power was lost when it got its name: unmount the ESP and run fsck.fat on it',
      });
    }
    // SAFETY: nothing boots and nothing is enrolled from a temporary name.
    disk.remove(`${root}/${path}`);
  }
}
