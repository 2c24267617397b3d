/** Extensions of registers, and what they make of a register. */
import { type BankDigests, type CreateHash, replay } from './bank.ts';

/**
 * One extension of a register: the digest that extends it, and not the register's value afterwards.
 */
export interface PcrRecord {
  readonly pcr: number;
  readonly digests: BankDigests;
}

/** TCG PC Client Platform Firmware Profile §PCR[4]: programs that the firmware starts. */
export const BOOT_LOADER_CODE = 4;
/** UAPI.7 Linux TPM PCR Registry: the sections of a UKI, and the phases of the boot. */
export const KERNEL_BOOT = 11;
/** UAPI.7 Linux TPM PCR Registry: what the loader passes to an image. */
export const KERNEL_CONFIG = 12;

/** Returns what these extensions make of one register, which held zeros before them. */
export function registerValue(
  records: readonly PcrRecord[],
  pcr: number,
  createHash: CreateHash,
): BankDigests {
  const extended = records.filter((record) => record.pcr === pcr).map(({ digests }) => digests);
  return replay(extended, createHash);
}
