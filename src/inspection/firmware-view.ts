/** Reads what this machine's firmware and boot loader say through EFI variables. */
import type { Context } from '../context.ts';
import {
  EFI_VARIABLES,
  LOADER_VARIABLES,
  loaderVariable,
  secureBoot,
} from '../loader/efi-variables.ts';
import type { FirmwareView } from '../plan/view.ts';

/**
 * Reads the variables.
 * @param certificate path of the certificate that signs our programs
 */
export async function viewFirmware(
  certificate: string | undefined,
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
    trustsCertificate:
      enforces === true && certificate !== undefined
        ? await isTrusted(certificate, directory, disk)
        : undefined,
    variables: Object.fromEntries(variables),
  };
}

// Loading cryptography costs as much as the rest of an idle run, so it is loaded only here.
async function isTrusted(
  certificate: string,
  directory: string,
  disk: Context['disk'],
): Promise<boolean | undefined> {
  const { loadCertificate } = await import('../signer/pem.ts');
  const { firmwareTrusts } = await import('./firmware-trust.ts');
  return firmwareTrusts(loadCertificate(certificate, disk), directory, disk);
}
