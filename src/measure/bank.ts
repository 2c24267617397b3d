/**
 * The banks of a TPM. Each digests the same bytes by its algorithm and extends its registers by
 * them.
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { BANKS, type Bank } from '../uki/pcr-bank.ts';

/** A digest in lower-case hexadecimal for each bank. */
export type BankDigests = Readonly<Record<Bank, string>>;

/** A digest in the making. Node's `Hash` fits. */
interface Hash {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Begins a digest. Node's `createHash` fits. */
export type CreateHash = (bank: Bank) => Hash;

/** Digests in the making, one for each bank. */
export interface BankHash {
  update(bytes: Uint8Array): void;
  finish(): BankDigests;
}

/** Begins a digest in every bank, so that bytes are read once for all of them. */
export function createBankHash(createHash: CreateHash): BankHash {
  const hashes = BANKS.map((bank) => [bank, createHash(bank)] as const);
  return {
    update: (bytes) => {
      for (const [, hash] of hashes) hash.update(bytes);
    },
    finish: () =>
      Object.fromEntries(
        hashes.map(([bank, hash]) => [bank, bytesToHex(hash.digest())]),
      ) as BankDigests,
  };
}

/** Returns the digests of bytes that arrive in pieces. */
export function digestInBanks(chunks: Iterable<Uint8Array>, createHash: CreateHash): BankDigests {
  const hash = createBankHash(createHash);
  for (const chunk of chunks) hash.update(chunk);
  return hash.finish();
}

/**
 * Returns what a register holds in each bank after these digests extended it in this order,
 * starting from zeros (TPM 2.0 Part 1 §PCR operations).
 */
export function replay(extended: readonly BankDigests[], createHash: CreateHash): BankDigests {
  return Object.fromEntries(
    BANKS.map((bank) => {
      const size = createHash(bank).digest().length;
      const value = extended.reduce<Uint8Array>((before, digests) => {
        const hash = createHash(bank);
        hash.update(before);
        hash.update(hexToBytes(digests[bank]));
        return hash.digest();
      }, new Uint8Array(size));
      return [bank, bytesToHex(value)];
    }),
  ) as BankDigests;
}

/**
 * Returns digests of which only that of SHA-256 is known. The other banks hold zeros, and whoever has
 * these asks for none of them.
 */
export function knownInSha256(sha256: string): BankDigests {
  const zeros = (size: number) => '0'.repeat(size);
  return { sha1: zeros(40), sha256, sha384: zeros(96), sha512: zeros(128) };
}
