/** Policies for PCR 11: what a key signs, so that a TPM opens a secret in the phases that it names. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { Bank } from '../uki/pcr-bank.ts';
import { combined, type PolicyDocument, type PolicyEntry } from '../uki/pcrsig.ts';
import { normalizePhases } from '../uki/phase.ts';
import type { BankDigests, CreateHash } from './bank.ts';
import { valueInPhase } from './image.ts';
import { KERNEL_BOOT, type PcrRecord } from './record.ts';

/** TPM 2.0 Part 2 §TPM_ALG_ID. */
const ALGORITHMS: Readonly<Record<Bank, number>> = {
  sha1: 0x0004,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
};
/** TPM 2.0 Part 2 §TPM_CC: TPM2_PolicyPCR. */
const POLICY_PCR = 0x0000_017f;
/** A selection of registers (TPM 2.0 Part 2 §TPMS_PCR_SELECTION): three bytes of bits, of which 11 is set. */
const REGISTERS = [0x03, 0x00, 0x08, 0x00];

/** What is asked for of an image's policies. */
export interface PolicyRequest {
  /** Paths of phases; those of systemd-measure when none is named. */
  readonly phases: readonly string[];
  readonly banks: readonly Bank[];
  /** Binds the policy to whoever asks by this text (TPM 2.0 Part 3 §TPM2_PolicyAuthorize, policyRef). */
  readonly reference?: string;
}

/** One policy: PCR 11 of one bank holds what it does in one phase. Digests in hexadecimal. */
export interface Policy {
  readonly bank: Bank;
  readonly phase: string;
  readonly reference?: string;
  /** The digest of TPM2_PolicyPCR, always SHA-256. */
  readonly pol: string;
  /** What gets signed: the digest, and that of the reference behind it. */
  readonly tbs: string;
}

/**
 * Returns the policies of an image: phase by phase, and in each phase bank by bank.
 * @param records what extends PCR 11 before any phase; others are passed over
 */
export function policiesFor(
  records: readonly PcrRecord[],
  { phases, banks, reference }: PolicyRequest,
  createHash: CreateHash,
): readonly Policy[] {
  const behind =
    reference === undefined ? '' : sha256Of(new TextEncoder().encode(reference), createHash);
  return normalizePhases(phases).flatMap((phase) => {
    const values = valueInPhase(phase, records, createHash);
    return banks.map((bank) => {
      const pol = policyDigest(bank, values, createHash);
      const named = reference === undefined ? {} : { reference };
      return { bank, phase, ...named, pol, tbs: `${pol}${behind}` };
    });
  });
}

function policyDigest(bank: Bank, values: BankDigests, createHash: CreateHash): string {
  const header = new DataView(new ArrayBuffer(10));
  header.setUint32(0, POLICY_PCR);
  header.setUint32(4, 1); // one selection
  header.setUint16(8, ALGORITHMS[bank]);
  const parts = [
    new Uint8Array(32),
    new Uint8Array(header.buffer),
    Uint8Array.from(REGISTERS),
    hexToBytes(sha256Of(hexToBytes(values[bank]), createHash)),
  ];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return bytesToHex(hash.digest());
}

function sha256Of(bytes: Uint8Array, createHash: CreateHash): string {
  const hash = createHash('sha256');
  hash.update(bytes);
  return bytesToHex(hash.digest());
}

/** Returns the document of policies that one key signs or is to sign. */
export function policyDocument(
  policies: readonly Policy[],
  publicKey: string,
  finish: (policy: Policy) => Pick<PolicyEntry, 'tbs' | 'sig'>,
): PolicyDocument {
  return combined(
    policies.map((policy) => {
      const { bank, reference, pol } = policy;
      const ref = reference === undefined ? {} : { ref: reference };
      return { [bank]: [{ pcrs: [KERNEL_BOOT], pkfp: publicKey, ...ref, pol, ...finish(policy) }] };
    }),
  );
}
