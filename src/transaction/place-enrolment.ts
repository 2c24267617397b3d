/** Places the three files from which systemd-boot enrols keys. A partial set enrols nothing. */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import { scanTemporaries } from '../esp/temporaries.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import type { KeyVariable, SignedVariable } from '../secureboot/key-variable.ts';
import { fill } from './assemble.ts';

/** The ESP, and the disk that writes to it. */
export interface EnrolmentPlacing {
  readonly disk: WritableDisk;
  /** Where the ESP is mounted. */
  readonly root: string;
  readonly processId: number;
}

/** In the order in which they appear: the one without which nothing is enrolled comes last. */
const ORDER = ['dbx', 'db', 'KEK', 'PK'] as const satisfies readonly SignedVariable[];

/** Returns the file of a variable in a directory of keys (systemd-boot(7)). */
export function enrolmentFile(directory: EspPath, variable: SignedVariable): EspPath {
  return espPath(directory, `${variable}.auth`);
}

/**
 * Writes the files of a set of keys, whole and durable. systemd-boot enrols nothing while one of
 * the three is missing. A mixture of two sets may enrol a PK whose db lets nothing boot. So this
 * removes the old PK first and writes the new PK last.
 * @throws {IO} when a power failure left the directory in a state that only fsck.fat mends
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
    // SAFETY: nothing boots from these files. Without PK systemd-boot enrols nothing, so the
    // machine boots what it booted before, in Setup Mode.
    disk.remove(`${root}/${enrolmentFile(directory, 'PK')}`);
    // SAFETY: the barrier makes the removal of the old PK durable before new files appear beside
    // it. The machine boots as before.
    disk.syncDirectory(place);
    for (const { temporary, path } of staged) {
      // SAFETY: the set is complete only when PK, its last file, has its name. By then the others
      // are durable. Until then nothing is enrolled, and the machine boots as before.
      disk.rename(temporary, path);
      // SAFETY: the barrier makes the name durable. On FAT the name leads to the content only after
      // the second one. Until then nothing is enrolled, and the machine boots as before.
      disk.syncDirectory(place);
      await disk.syncFile(path);
    }
  } catch (error) {
    // SAFETY: nothing boots from a temporary name, and nothing is enrolled from it.
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
    // SAFETY: nothing boots from a temporary name, and nothing is enrolled from it.
    disk.remove(`${root}/${path}`);
  }
}
