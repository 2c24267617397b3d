/** Whether firmware would start what is about to be installed. Pure. */
import { EspError } from '../error.ts';
import { isUnsigned } from '../signer/signer.ts';
import type { FirmwareView } from './view.ts';
import type { WantedSystem } from './wanted-system.ts';

/**
 * Refuses what firmware would not start: it must not take the place of what firmware does start.
 * @throws {SECURE_BOOT_UNSIGNED} {SECURE_BOOT_UNTRUSTED}
 */
export function requireStartable(
  { settings: { certificate }, signer }: Pick<WantedSystem, 'settings' | 'signer'>,
  firmware: FirmwareView | undefined,
): void {
  if (firmware?.secureBoot !== true) return;
  if (isUnsigned(signer)) {
    throw new EspError(
      'SECURE_BOOT_UNSIGNED',
      'Secure Boot is on, and there is no key: what would be installed would not start',
      { hint: 'give --certificate and --private-key, or turn Secure Boot off in the firmware' },
    );
  }
  if (firmware.trustsCertificate !== false) return;
  throw new EspError(
    'SECURE_BOOT_UNTRUSTED',
    `Secure Boot is on, and firmware does not know certificate ${certificate}: what would be installed would not start`,
    {
      hint: 'sign with a certificate that espalier keys status finds in firmware, or turn Secure Boot off until this one is enrolled',
    },
  );
}
