/** Records of measurements as `*.pcrlock` files hold them (systemd.pcrlock(5)). */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { parsePe } from '../pe/pe.ts';
import { BANKS, type Bank, type BankDigests, type CreateHash, digestInBanks } from './bank.ts';
import { measuredSections, memoryOf } from './measured-section.ts';

/**
 * One extension of a register: the digest that extends it, and not the register's value afterwards.
 */
export interface PcrRecord {
  readonly pcr: number;
  readonly digests: BankDigests;
}

/** TCG PC Client Platform Firmware Profile §PCR[4]: programs that the firmware starts. */
const BOOT_LOADER_CODE = 4;
/** UAPI.7 Linux TPM PCR Registry: the sections of a UKI, and the phases of the boot. */
const KERNEL_BOOT = 11;

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
  return [programRecord(digestInBanks(authenticodeDigestInput(source), createHash))];
}

/**
 * Returns what is measured when an image starts, by the firmware and by systemd-stub, as
 * `systemd-pcrlock lock-uki` does.
 * @throws {CONFIG_INVALID} when the measurement depends on more than the image
 * @throws {PE_MALFORMED} @throws {SIGNATURE_MALFORMED}
 */
export function lockUki(source: ByteSource, createHash: CreateHash): readonly PcrRecord[] {
  const { sections } = parsePe(source);
  const profiles = sections.filter(({ name }) => name === '.profile').length;
  if (profiles > 1) {
    throw new EspError(
      'CONFIG_INVALID',
      `the image has ${profiles} profiles, and each is measured in another way`,
      { hint: 'lock what they have in common with espalier pcrlock lock-pe' },
    );
  }
  return [...lockPe(source, createHash), ...stubRecords(source, createHash)];
}

/**
 * Returns what systemd-stub measures when a profile of an image starts (UKI §TPM PCR measurements).
 * For each section it measures the name with a NUL, then the content as it lies in memory.
 * @throws {CONFIG_INVALID} @throws {PE_MALFORMED}
 */
export function stubRecords(
  source: ByteSource,
  createHash: CreateHash,
  profile = 0,
): readonly PcrRecord[] {
  const record = (chunks: Iterable<Uint8Array>): PcrRecord => ({
    pcr: KERNEL_BOOT,
    digests: digestInBanks(chunks, createHash),
  });
  return measuredSections(parsePe(source), profile).flatMap((section) => [
    record([new TextEncoder().encode(`${section.name}\0`)]),
    record(memoryOf(source, section)),
  ]);
}
