/** The signatures of any EFI program: by whom, over what, and whether firmware and certificates accept them. */
import { createHash, type X509Certificate } from 'node:crypto';
import type { OpenFile } from '../disk/disk.ts';
import { LARGEST_FILE, tooLarge } from '../esp/space.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { parsePe } from '../pe/pe.ts';
import { sectionFindings } from '../pe/section-findings.ts';
import { type DigestName, forbidsImage, IMAGE_SHA256 } from '../secureboot/forbidden.ts';
import { isIssuedBy } from '../signer/chain.ts';
import { type ListedSignature, readSignature } from '../signer/signature-listing.ts';
import { banOfChain, type FirmwareKeys, knowsChain, subjectOf } from './firmware-trust.ts';

/** What a signature is judged by. */
export interface Judges {
  /** What firmware holds; undefined where there is none. */
  readonly firmware: FirmwareKeys | undefined;
  /** Certificates that a person names. */
  readonly certificates: readonly X509Certificate[];
}

/** One signature. A verdict is null where there is nobody to judge it. */
export interface SignatureReport {
  /** The common names of the signer and of those that lead on from it. */
  readonly signer: readonly string[];
  /** Hexadecimal SHA-256 of the signer's certificate. */
  readonly certificate: string | null;
  readonly digest: string | null;
  /** Whether it is whole and over this program as it is. */
  readonly valid: boolean;
  /** Why it is not. */
  readonly problem: string | null;
  /** Whether db knows the signer, or one that leads on from it. */
  readonly inDb: boolean | null;
  /** What dbx says against it. */
  readonly inDbx: string | null;
  /** Whether it is of a certificate that was named, or one issued it. */
  readonly accepted: boolean | null;
}

/** A program with its signatures. */
export interface ProgramReport {
  /** Authenticode digests, in hexadecimal. */
  readonly digests: Readonly<Record<DigestName, string>>;
  readonly signatures: readonly SignatureReport[];
  /** Whether db has the digest of the program itself, and whether dbx has. */
  readonly digestInDb: boolean | null;
  readonly digestInDbx: boolean | null;
  /** Whether firmware that enforces Secure Boot starts it; null where that cannot be told. */
  readonly starts: boolean | null;
  readonly findings: readonly string[];
}

const NAMES: readonly DigestName[] = ['sha256', 'sha384', 'sha512'];
/** More signatures than anyone puts on a program. */
const MAX_SIGNATURES = 16;

/**
 * Reads a program once and judges every signature on it.
 * @param name what messages call the program
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} {FILE_TOO_LARGE} when it is no whole program
 */
export function programSignatures(file: OpenFile, name: string, judges: Judges): ProgramReport {
  // What no FAT holds no firmware starts, and a sparse file of it could be hashed for hours.
  if (file.size > LARGEST_FILE) throw tooLarge(name, file.size);
  const pe = parsePe(file, name);
  const blobs = certificateTable(file, pe).slice(0, MAX_SIGNATURES);
  const digests = digestsOf(file);
  const signatures = blobs.map((blob) => judge(readSignature(blob), digests, judges));
  const { firmware } = judges;
  const digestInDb = firmware?.known
    ? firmware.known.some(
        ({ type, data }) =>
          type === IMAGE_SHA256 && Buffer.from(data).toString('hex') === digests.sha256,
      )
    : null;
  const digestInDbx = firmware?.forbidden ? forbidsImage(firmware.forbidden, digests) : null;
  const isKnown = digestInDb === true || signatures.some(isAllowed);
  const cannotTell = digestInDb === null || digestInDbx === null || firmware?.hasShim === true;
  const isBanned = digestInDbx === true || signatures.some(({ inDbx }) => inDbx !== null);
  const starts = isBanned ? false : cannotTell ? null : isKnown;
  return { digests, signatures, digestInDb, digestInDbx, starts, findings: sectionFindings(pe) };
}

function isAllowed({ valid, inDb, inDbx }: SignatureReport): boolean {
  return valid && inDb === true && inDbx === null;
}

function digestsOf(file: OpenFile): Readonly<Record<DigestName, string>> {
  const states = NAMES.map((name) => [name, createHash(name)] as const);
  for (const bytes of authenticodeDigestInput(file)) {
    for (const [, state] of states) state.update(bytes);
  }
  const entries = states.map(([name, state]) => [name, state.digest('hex')]);
  return Object.fromEntries(entries) as Record<DigestName, string>;
}

function judge(
  listed: ListedSignature | string,
  digests: Readonly<Record<DigestName, string>>,
  { firmware, certificates }: Judges,
): SignatureReport {
  if (typeof listed === 'string') return { ...NOTHING, problem: listed };
  const { digestName, digest, chain } = listed;
  const [leaf] = chain;
  const problem = problemOf(listed, digests);
  const ban = firmware && banOfChain(chain, firmware);
  const since = ban?.since === undefined ? '' : ` since ${dayOf(ban.since)}`;
  return {
    signer: chain.map(subjectOf),
    certificate: leaf ? createHash('sha256').update(leaf.raw).digest('hex') : null,
    digest: `${digestName ?? 'unknown'}:${digest}`,
    valid: problem === undefined,
    problem: problem ?? null,
    inDb: (firmware && knowsChain(chain, firmware)) ?? null,
    inDbx: ban ? `${ban.certificate}, by ${ban.by}${since}` : null,
    accepted:
      certificates.length === 0
        ? null
        : problem === undefined && certificates.some((each) => accepts(each, chain)),
  };
}

const NOTHING: SignatureReport = {
  ...{ signer: [], certificate: null, digest: null, valid: false },
  ...{ problem: null, inDb: null, inDbx: null, accepted: null },
};

function problemOf(
  { digestName, digest, chain, verifies }: ListedSignature,
  digests: Readonly<Record<DigestName, string>>,
): string | undefined {
  if (digestName === undefined) return 'its digest is none that firmware takes';
  if (chain.length === 0) return 'it does not carry the certificate of its signer';
  if (digest !== digests[digestName]) return 'it is of another program, or the program was changed';
  return verifies ? undefined : 'it does not verify';
}

function accepts(certificate: X509Certificate, chain: readonly X509Certificate[]): boolean {
  return chain.some((each) => each.raw.equals(certificate.raw) || isIssuedBy(each, certificate));
}

function dayOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
