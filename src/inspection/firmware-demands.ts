/** What firmware asks of each program: its processor, a signature that it takes, and a digest that dbx has not. */
import type { Context } from '../context.ts';
import { type Demands, UNSIGNED } from '../esp/scan-entries.ts';
import { secureBoot } from '../loader/efi-variables.ts';
import type { Settings } from '../settings/settings.ts';
import type { Judging } from './loader-views.ts';

/** The same questions to entries and to loaders. */
export interface Asked {
  readonly demands: Demands;
  readonly judging: Judging;
}

/** Who has signed, if anybody is named, and what for. */
type Asking = Judging & { readonly settings: Pick<Settings, 'sign-kernels'> };

/** What is said of a program that nobody signed whom firmware knows. */
const NOT_TAKEN =
  'it carries no signature that firmware of this machine takes, and Secure Boot is on';

/**
 * Returns what to ask. Where Secure Boot is on and no certificate is named, firmware's own lists judge.
 * @param variables directory of the EFI variables; undefined where they say nothing about the ESP
 */
export async function askFor(
  { settings, architecture, verifier, brought }: Asking,
  variables: string | undefined,
  { disk }: Context,
): Promise<Asked> {
  const { machine } = architecture;
  const judging = { architecture, verifier, ...(brought === undefined ? {} : { brought }) };
  const enforces = variables !== undefined && secureBoot(disk, variables) === true;
  const certificate = verifier?.certificate;
  if (!enforces && certificate === undefined) return { demands: { machine }, judging };
  // Cryptography is loaded only here: it costs as much as all the rest of an idle run.
  const { isWholeSignature } = await import('../signer/cms-verification.ts');
  const isOurs = (signature: Uint8Array) =>
    certificate !== undefined && isWholeSignature(signature, certificate);
  if (!enforces) {
    const kernels = settings['sign-kernels'] ? isOurs : undefined;
    return { demands: { machine, lacks: UNSIGNED, images: isOurs, kernels }, judging };
  }
  const { firmwareKeys, firmwareJudge } = await import('./firmware-trust.ts');
  const { takes, bans, verifier: ofFirmware } = firmwareJudge(firmwareKeys(variables, disk));
  const images = certificate === undefined ? takes : isOurs;
  return {
    demands: {
      machine,
      lacks: certificate === undefined ? NOT_TAKEN : UNSIGNED,
      images,
      // Somebody else may have signed a kernel that is installed as it is.
      kernels: settings['sign-kernels'] ? images : (one) => isOurs(one) || takes(one),
      bans,
    },
    judging: { ...judging, verifier: verifier ?? ofFirmware, bans },
  };
}
