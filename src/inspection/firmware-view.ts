/** What firmware and boot loader of this machine say through EFI variables. */
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
 * @param certificate path of the certificate that we sign for
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

// Cryptography is loaded only here: it costs as much as all the rest of an idle run.
async function isTrusted(
  certificate: string,
  directory: string,
  disk: Context['disk'],
): Promise<boolean | undefined> {
  const { loadChain } = await import('../signer/pem.ts');
  const { firmwareTrusts } = await import('./firmware-trust.ts');
  const chain = loadChain(certificate, disk);
  return firmwareTrusts([chain.certificate, ...chain.intermediates], directory, disk);
}
