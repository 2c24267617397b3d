/** Tells whether this machine's firmware starts what a certificate signs. */
import { X509Certificate } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { forbiddenVariable, hasShim, keyVariable } from '../loader/efi-variables.ts';
import {
  type Ban,
  banOf,
  type Forbidden,
  forbidsImage,
  parseForbidden,
} from '../secureboot/forbidden.ts';
import { parseSignatureLists, type Signature, X509 } from '../secureboot/signature-list.ts';
import { isIssuedBy } from '../signer/chain.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import { digestNamed, type ListedSignature, readSignature } from '../signer/signature-listing.ts';
import type { Verifier } from '../signer/signer.ts';

/** What firmware holds to judge a program by. */
export interface FirmwareKeys {
  /** The entries of db; undefined when it cannot be read. */
  readonly known: readonly Signature[] | undefined;
  /** What dbx forbids; undefined when it cannot be read. */
  readonly forbidden: Forbidden | undefined;
  /** Whether shim starts first, which has a list of its own. */
  readonly hasShim: boolean;
  /** Why something cannot be read. */
  readonly problems: readonly string[];
}

/** Reads db and dbx. A variable that is absent forbids and allows nothing. */
export function firmwareKeys(variables: string, disk: Disk): FirmwareKeys {
  const problems: string[] = [];
  const read = <Read>(name: string, parse: () => Read): Read | undefined => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      problems.push(`firmware: ${name}: ${explain(error)}`);
      return undefined;
    }
  };
  const known = read('db', () => {
    const lists = keyVariable(disk, variables, 'db');
    return lists && parseSignatureLists(lists);
  });
  const forbidden = read('dbx', () =>
    parseForbidden(forbiddenVariable(disk, variables) ?? new Uint8Array()),
  );
  return { known, forbidden, hasShim: hasShim(disk, variables), problems };
}

/**
 * Tells whether firmware knows one of a chain of certificates, or who issued one, or undefined when
 * that cannot be told: where shim starts first, it asks its own list too.
 * @param chain the signer's certificate, then those that its signatures carry and that lead on from it
 */
export function firmwareTrusts(
  chain: readonly X509Certificate[],
  keys: FirmwareKeys,
): boolean | undefined {
  return keys.hasShim ? undefined : knowsChain(chain, keys);
}

/** Tells whether db has one of a chain, or the issuer of one; undefined without a db. */
export function knowsChain(
  chain: readonly X509Certificate[],
  { known }: FirmwareKeys,
): boolean | undefined {
  return known?.some(({ type, data }) => type === X509 && vouchesFor(data, chain));
}

/** Firmware as who judges programs by their signatures alone, or together with the digest of the program. */
export interface FirmwareJudge {
  /** Tells whether a signature is whole, and of a chain that firmware takes. */
  readonly takes: (signature: Uint8Array) => boolean;
  /** Tells whether dbx has the digest of the program that a signature is over. */
  readonly bans: (signature: Uint8Array) => boolean;
  readonly verifier: Verifier;
}

/** Returns who judges as firmware does. What cannot be told, as where shim starts first, speaks for a program. */
export function firmwareJudge(keys: FirmwareKeys): FirmwareJudge {
  const listed = (signature: Uint8Array) => {
    const read = readSignature(signature);
    return typeof read === 'string' ? undefined : read;
  };
  const banned = keys.forbidden;
  const isTaken = (read: ListedSignature | undefined) =>
    read?.verifies === true &&
    firmwareTrusts(read.chain, keys) !== false &&
    banOfChain(read.chain, keys) === undefined;
  return {
    takes: (signature) => isTaken(listed(signature)),
    bans: (signature) =>
      banned !== undefined &&
      banned.images.size > 0 &&
      forbidsImage(banned, digestNamed(signature)),
    verifier: {
      verify: (signatures, imageDigest) => {
        const digest = Buffer.from(imageDigest).toString('hex');
        const isValid = signatures
          .map(listed)
          .some((read) => read?.digest === digest && isTaken(read));
        return isValid
          ? { kind: 'valid' }
          : { kind: 'invalid', because: 'firmware does not take it' };
      },
    },
  };
}

/** Tells whether dbx has the digest of a program. */
export function bansProgram(path: string, { forbidden }: FirmwareKeys, disk: Disk): boolean {
  if (forbidden === undefined || forbidden.images.size === 0) return false;
  using program = disk.open(path);
  const sha256 = Buffer.from(authenticodeDigest(program)).toString('hex');
  return forbidsImage(forbidden, { sha256 });
}

/** Why dbx keeps what a chain signs from starting: which certificate it names, and how. */
export interface ChainBan extends Ban {
  /** The subject of the certificate, on one line. */
  readonly certificate: string;
}

/** Returns why dbx refuses what a chain of certificates signs, or undefined when it does not. */
export function banOfChain(
  chain: readonly X509Certificate[],
  { forbidden }: FirmwareKeys,
): ChainBan | undefined {
  if (forbidden === undefined) return undefined;
  for (const each of chain) {
    const certificate = subjectOf(each);
    const ban = banOf(forbidden, Uint8Array.from(each.raw));
    if (ban !== undefined) return { ...ban, certificate };
    const isIssued = forbidden.certificates.some((der) => vouchesFor(der, [each]));
    if (isIssued) return { by: 'certificate', certificate };
  }
  return undefined;
}

/** Returns the subject of a certificate on one line. */
export function subjectOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject ?? '')?.[1] ?? (subject ?? '').replaceAll('\n', ', ');
}

/** Firmware keeps whatever was put there: what is no certificate vouches for nothing. */
function vouchesFor(der: Uint8Array, chain: readonly X509Certificate[]): boolean {
  if (chain.some(({ raw }) => Buffer.compare(der, raw) === 0)) return true;
  try {
    const authority = new X509Certificate(der);
    return chain.some((certificate) => isIssuedBy(certificate, authority));
  } catch {
    return false;
  }
}
