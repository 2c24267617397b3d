/** The boot loader that is brought, and the settings that a file has for it. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Architecture } from '../loader/architecture.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import { signedLayout } from '../pe/certificate-table.ts';
import type { LoaderSource } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';

const HINT =
  'install systemd-boot, or name the directory that holds lib/systemd/boot/efi with --systemd';

/**
 * Reads what a loader says of itself.
 * @param path where the systemd in use has it
 * @throws {CONFIG_INVALID} when it is none for this processor
 */
export function readLoader(
  path: string,
  { machine }: Architecture,
  signer: Signer,
  disk: Disk,
): LoaderSource {
  if (!disk.stat(path)) {
    throw new EspError('CONFIG_INVALID', `${path}: there is no systemd-boot`, { hint: HINT });
  }
  const file = disk.open(path);
  try {
    const identity = loaderIdentity(file);
    if (identity.kind === 'systemd-boot' && identity.machine === machine) {
      // Every signature of one key has the same size: whoever holds the key need not be asked.
      const { signatureSize } = signer;
      const size =
        signatureSize === 0
          ? file.size
          : signedLayout(file, path, new Uint8Array(signatureSize)).size;
      return { path, version: identity.version, machine, size };
    }
    const got = identity.kind === 'systemd-boot' ? 'one for another processor' : identity.kind;
    throw new EspError('CONFIG_INVALID', `${path}: expected systemd-boot, got ${got}`, {
      hint: HINT,
    });
  } finally {
    file.close();
  }
}

/** The largest loader.conf that is taken as one, in bytes. */
const CONF_LIMIT = 64 * 1024;

/** Returns the text of the file that the settings name for loader.conf. */
export function readLoaderConf({ 'loader-conf': file }: Settings, disk: Disk): string | undefined {
  return file === undefined ? undefined : new TextDecoder().decode(disk.read(file, CONF_LIMIT));
}
