/** Runs dracut to make an initrd. */
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { boundedEnvironment } from '../process/environment.ts';

/** A request to dracut: its own options by name, each with its value. */
export interface DracutRequest {
  readonly kernelRelease: string;
  /** `install`, `add`, `add-drivers`, `force-drivers`, `filesystems`; the value is dracut's list. */
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** An initrd that dracut made, in a private directory. Size in bytes. */
export interface DracutInitrd {
  readonly path: string;
  readonly size: number;
  remove(): void;
}

/** In seconds. A slow machine with many modules takes some minutes. */
const TIMEOUT = 1800;

/**
 * Has dracut (dracut(8)) make an initrd in a new directory of mode 0700. Its own configuration
 * applies, except for `uefi=`: this program makes the image. dracut gets PATH, HOME and LANG of the
 * environment, and that directory as TMPDIR. The caller removes the directory with `remove`; after
 * a failure it is gone.
 * @param directory for temporary files: the initrd and everything that goes into it
 * @throws {DRACUT_FAILED} when dracut cannot run, fails, takes more than half an hour or leaves
 * nothing
 * @throws {IO} when there is no place for temporary files
 */
export async function makeDracutInitrd(
  { kernelRelease, options }: DracutRequest,
  directory: string,
  { disk, machine, environment: variables }: Pick<Context, 'disk' | 'machine' | 'environment'>,
): Promise<DracutInitrd> {
  const home = disk.makeTemporary(directory, 'espalier-dracut-');
  const remove = (): void => disk.removeTemporary(home);
  try {
    const path = join(home, 'initrd');
    const asked = options.flatMap(([name, value]) => [`--${name}`, value]);
    const argv = ['dracut', '--no-uefi', '--kver', kernelRelease, ...asked, path];
    const environment = { ...boundedEnvironment(variables), TMPDIR: home };
    const complaint = await machine.run(
      { argv, directory: home, environment },
      { timeout: TIMEOUT },
    );
    if (complaint !== undefined) throw failed(complaint.what, complaint.cause);
    const stat = disk.linkStat(path);
    if (stat?.kind !== 'file') throw failed('expected it to leave an initrd, got none');
    return { path, size: stat.size, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function failed(what: string, cause?: unknown): EspError {
  return new EspError('DRACUT_FAILED', `dracut ${what}`, {
    hint: 'run it by hand with the same options, and --kver for the kernel of the image',
    cause,
  });
}
