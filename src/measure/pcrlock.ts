/** Records of measurements as `*.pcrlock` files hold them (systemd.pcrlock(5)). */

import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';
import { BANKS, type Bank } from '../uki/pcr-bank.ts';
import type { BankDigests, CreateHash } from './bank.ts';
import { measuredImage, programEvent } from './image.ts';
import { BOOT_LOADER_CODE, KERNEL_CONFIG, type PcrRecord } from './record.ts';

/** Returns records as systemd-pcrlock writes a `*.pcrlock` file, without the final newline. */
export function formatPcrlock(records: readonly PcrRecord[]): string {
  return JSON.stringify({
    records: records.map(({ pcr, digests }) => ({
      pcr,
      digests: BANKS.map((hashAlg) => ({ hashAlg, digest: digests[hashAlg] })),
    })),
  });
}

/** Hexadecimal digits of a digest, by bank. */
const DIGITS: Readonly<Record<Bank, number>> = { sha1: 40, sha256: 64, sha384: 96, sha512: 128 };
const DIGESTS = BANKS.map(
  (bank) => `\\{"hashAlg":"${bank}","digest":"[0-9a-f]{${DIGITS[bank]}}"\\}`,
).join(',');
const PROGRAM = new RegExp(
  `^\\{"records":\\[\\{"pcr":${BOOT_LOADER_CODE},"digests":\\[${DIGESTS}\\]\\}\\]\\}$`,
);

/** Returns whether a text is a whole record of a program, as {@link formatPcrlock} writes it. */
export function isProgramRecord(text: string): boolean {
  return PROGRAM.test(text);
}

/** Returns the record of a program with these Authenticode digests. */
export function programRecord(digests: BankDigests): PcrRecord {
  return { pcr: BOOT_LOADER_CODE, digests };
}

/**
 * Returns what the firmware measures when it starts a program, as `systemd-pcrlock lock-pe` does.
 * A signature changes nothing.
 * @throws {PE_MALFORMED} @throws {SIGNATURE_MALFORMED}
 */
export function lockPe(source: ByteSource, createHash: CreateHash): readonly PcrRecord[] {
  return [programEvent(source, createHash)];
}

/**
 * Returns what is measured when an image starts, by the firmware and by systemd-stub, as
 * `systemd-pcrlock lock-uki` does. How a profile is chosen is left out: that extends PCR 12.
 * @param profile counted from 0; only an image of one profile needs none
 * @throws {CONFIG_INVALID} when the measurement depends on more than the image, or there is no such profile
 * @throws {PE_MALFORMED} @throws {SIGNATURE_MALFORMED}
 */
export function lockUki(
  source: ByteSource,
  createHash: CreateHash,
  profile?: number,
): readonly PcrRecord[] {
  const { profiles, eventsOf } = measuredImage(source, createHash);
  if (profiles.length > 1 && profile === undefined) {
    throw new EspError(
      'CONFIG_INVALID',
      `the image has ${counted(profiles.length, 'profile')}, and each is measured in another way`,
      {
        hint: 'name one with --profile, or lock what they have in common with espalier pcrlock lock-pe',
      },
    );
  }
  const options = profile ? { options: `@${profile}` } : {};
  return eventsOf({ secureBoot: true, ...options }).filter(({ pcr }) => pcr !== KERNEL_CONFIG);
}
