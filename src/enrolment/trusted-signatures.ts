/** What each variable of Secure Boot is to hold: the owner's certificate first, then those of others. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';
import { OPTION_ROM_AUTHORITIES } from '../secureboot/microsoft.ts';
import { type Signature, X509 } from '../secureboot/signature-list.ts';
import type { PerVariable } from '../signer/enrolment.ts';
import { entriesOfOthers, missingOptionRoms, type TrustWishes } from './others.ts';
import type { OwnerCertificates } from './set.ts';

/** What to trust, and whether no card of the machine brings a program of its own. */
export interface SignatureWishes extends TrustWishes {
  readonly needsNoOptionRoms: boolean;
}

/**
 * Returns the entries of each variable, and what to tell of them.
 * @throws {OPTION_ROMS_UNTRUSTED} when firmware would refuse option ROMs that it may need
 * @throws {KEY_INVALID} when a certificate cannot be read
 */
export function trustedSignatures(
  own: OwnerCertificates,
  wishes: SignatureWishes,
  disk: Disk,
): { signatures: PerVariable<readonly Signature[]>; remarks: readonly string[] } {
  const { needsNoOptionRoms } = wishes;
  const theirs = entriesOfOthers(wishes, disk);
  const lacking = missingOptionRoms(theirs);
  if (!needsNoOptionRoms && lacking.length === OPTION_ROM_AUTHORITIES.length) {
    throw new EspError(
      'OPTION_ROMS_UNTRUSTED',
      'no certificate of Microsoft that signs option ROMs: with these keys firmware would not start what graphics and other cards bring, and may never show a picture again',
      {
        hint: `give ${OPTION_ROM_AUTHORITIES.join(' and ')} with --microsoft; --yes-this-might-brick-my-machine where no device needs them, as in a virtual machine`,
      },
    );
  }
  const all = (variable: KeyVariable): readonly Signature[] => [
    { type: X509, owner: own.owner, data: Uint8Array.from(own[variable].certificate.raw) },
    ...theirs.filter((each) => each.variable === variable).map(({ signature }) => signature),
  ];
  const remarks = needsNoOptionRoms
    ? []
    : lacking.map((name) => `db lacks ${name}: cards whose option ROM is signed by it stay dark`);
  return { signatures: { PK: all('PK'), KEK: all('KEK'), db: all('db') }, remarks };
}
