/** Reads what this machine's firmware and boot loader say through EFI variables. */
import type { Context } from '../context.ts';
import {
  bootOptions,
  EFI_VARIABLES,
  LOADER_VARIABLES,
  loaderVariable,
  secureBoot,
} from '../loader/efi-variables.ts';
import type { FirmwareView } from '../plan/view.ts';

/**
 * Reads the variables.
 * @param certificate path of the certificate that signs our programs
 * @param asksOptions whether anybody asks for the boot entries, each of which is a variable of its own
 */
export async function viewFirmware(
  certificate: string | undefined,
  asksOptions: boolean,
  { disk, environment }: Context,
): Promise<FirmwareView> {
  const directory = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  const enforces = secureBoot(disk, directory);
  const variables = LOADER_VARIABLES.flatMap((name) => {
    const value = loaderVariable(disk, directory, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    secureBoot: enforces,
    bootOptions: asksOptions ? bootOptions(disk, directory) : undefined,
    ...(enforces === true && certificate !== undefined
      ? await judged(certificate, directory, disk)
      : { trustsCertificate: undefined, forbids: undefined }),
    variables: Object.fromEntries(variables),
  };
}

// Cryptography is loaded only here: it costs as much as all the rest of an idle run.
async function judged(
  certificate: string,
  directory: string,
  disk: Context['disk'],
): Promise<Pick<FirmwareView, 'trustsCertificate' | 'forbids'>> {
  const { loadChain } = await import('../signer/pem.ts');
  const { banOfChain, firmwareKeys, firmwareTrusts } = await import('./firmware-trust.ts');
  const loaded = loadChain(certificate, disk);
  const chain = [loaded.certificate, ...loaded.intermediates];
  const keys = firmwareKeys(directory, disk);
  const ban = banOfChain(chain, keys);
  return {
    trustsCertificate: firmwareTrusts(chain, keys),
    forbids: ban && `dbx has the ${ban.by} of ${ban.certificate}`,
  };
}
