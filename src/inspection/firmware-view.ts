/** Reads what this machine's firmware and boot loader say through EFI variables. */
import type { Disk } from '../disk/disk.ts';
import {
  bootOptions,
  LOADER_VARIABLES,
  loaderVariable,
  secureBoot,
} from '../loader/efi-variables.ts';
import type { FirmwareView } from '../plan/view.ts';

/** What is asked of firmware. */
interface Question {
  /** Path of the certificate that signs our programs. */
  readonly certificate: string | undefined;
  /** Whether anybody asks for the boot entries, each of which is a variable of its own. */
  readonly asksOptions: boolean;
  /** Path of the boot loader that would be installed. */
  readonly brings: string | undefined;
}

/** Reads the variables in a directory. */
export async function viewFirmware(
  { certificate, asksOptions, brings }: Question,
  directory: string,
  disk: Disk,
): Promise<FirmwareView> {
  const enforces = secureBoot(disk, directory);
  const variables = LOADER_VARIABLES.flatMap((name) => {
    const value = loaderVariable(disk, directory, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    secureBoot: enforces,
    bootOptions: asksOptions ? bootOptions(disk, directory) : undefined,
    ...(enforces === true && certificate !== undefined
      ? await judged(certificate, brings, directory, disk)
      : { trustsCertificate: undefined, forbids: undefined }),
    variables: Object.fromEntries(variables),
  };
}

// Cryptography is loaded only here: it costs as much as all the rest of an idle run.
async function judged(
  certificate: string,
  brings: string | undefined,
  directory: string,
  disk: Disk,
): Promise<Pick<FirmwareView, 'trustsCertificate' | 'forbids' | 'bansLoader'>> {
  const { loadChain } = await import('../signer/pem.ts');
  const { banOfChain, bansProgram, firmwareKeys, firmwareTrusts } = await import(
    './firmware-trust.ts'
  );
  const loaded = loadChain(certificate, disk);
  const chain = [loaded.certificate, ...loaded.intermediates];
  const keys = firmwareKeys(directory, disk);
  const ban = banOfChain(chain, keys);
  return {
    trustsCertificate: firmwareTrusts(chain, keys),
    bansLoader: brings !== undefined && bansProgram(brings, keys, disk),
    forbids: ban && `dbx has the ${ban.by} of ${ban.certificate}`,
  };
}
