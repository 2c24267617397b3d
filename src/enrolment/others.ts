/** What the variables of firmware are to hold beside the owner's keys: the certificates of others, and what is there. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Guid } from '../guid.ts';
import { keyVariable } from '../loader/efi-variables.ts';
import { parseAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { banOf, isForDbx, parseForbidden } from '../secureboot/forbidden.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';
import { OPTION_ROM_AUTHORITIES } from '../secureboot/microsoft.ts';
import { parseSignatureLists, type Signature, X509 } from '../secureboot/signature-list.ts';
import {
  certificatesIn,
  commonNameOf,
  isCertificate,
  readMicrosoftCertificates,
} from './microsoft-certificates.ts';

/** What a person wants to go on trusting. Paths are absolute. */
export interface TrustWishes {
  readonly microsoft: readonly string[];
  readonly certificates: readonly string[];
  /** The directory of firmware's variables, when what it holds is to stay. */
  readonly firmware: string | undefined;
}

/** An entry, and the variable that it is for. */
export interface OtherEntry {
  readonly variable: Exclude<KeyVariable, 'PK'>;
  readonly signature: Signature;
}

/** Nobody's GUID: an entry with the owner's own would pass for a former key of the owner. */
const NOBODY = '00000000-0000-0000-0000-000000000000' as Guid;
const MAX_DBX = 1024 * 1024;

/** Returns the entries of others, each once, in the order of the wishes. @throws {KEY_INVALID} */
export function entriesOfOthers(wishes: TrustWishes, disk: Disk): readonly OtherEntry[] {
  const all = [
    ...readMicrosoftCertificates(wishes.microsoft, disk),
    ...wishes.certificates.flatMap((path) => vendorEntries(path, disk)),
    ...(wishes.firmware === undefined ? [] : kept(wishes.firmware, disk)),
  ];
  const keyOf = ({ variable, signature: { type, data } }: OtherEntry) =>
    `${variable} ${type} ${Buffer.from(data).toString('base64')}`;
  // What comes first keeps its owner.
  return [...new Map(all.toReversed().map((each) => [keyOf(each), each])).values()].toReversed();
}

/** A certificate whose name says that it is for key exchange goes there; every other one is for programs. */
function vendorEntries(path: string, disk: Disk): readonly OtherEntry[] {
  return certificatesIn(path, '--certificates', disk).map((certificate) => ({
    variable: /\bKEK\b/.test(commonNameOf(certificate) ?? '') ? 'KEK' : 'db',
    signature: { type: X509, owner: NOBODY, data: Uint8Array.from(certificate.raw) },
  }));
}

function kept(variables: string, disk: Disk): readonly OtherEntry[] {
  const entries = (['KEK', 'db'] as const).flatMap((variable) => {
    const lists = keyVariable(disk, variables, variable) ?? new Uint8Array();
    return parseSignatureLists(lists).map((signature) => ({ variable, signature }));
  });
  if (entries.length > 0) return entries;
  throw new EspError(
    'KEY_INVALID',
    `--keep-firmware: ${variables}: firmware holds no KEK and no db`,
    {
      hint: 'name the certificates as files, with --microsoft and --certificates; firmware in Setup Mode may have dropped its own',
    },
  );
}

/** Returns which of the authorities for option ROMs the entries lack, by common name. */
export function missingOptionRoms(entries: readonly OtherEntry[]): readonly string[] {
  const names = entries
    .filter(({ variable, signature }) => variable === 'db' && signature.type === X509)
    .map(({ signature }) => commonNameOf(signature.data));
  return OPTION_ROM_AUTHORITIES.filter((authority) => !names.includes(authority));
}

/**
 * Returns the signature lists of dbx in a file: the lists themselves, or an update as vendors publish it.
 * @throws {KEY_INVALID} when it is neither, or holds nothing
 */
export function readDbx(path: string, disk: Disk): Uint8Array {
  if (disk.stat(path)?.kind !== 'file') throw invalid(path, 'a file', 'none');
  const content = listsIn(disk.read(path, MAX_DBX));
  if (content === undefined) {
    throw invalid(path, 'signature lists, or an update of dbx', 'something else');
  }
  const wrong = parseSignatureLists(content).find(
    (each) => !isForDbx(each) || (each.type === X509 && !isCertificate(each.data)),
  );
  if (wrong === undefined) return content;
  const got = `one of type ${wrong.type} with ${wrong.data.length} bytes`;
  throw invalid(path, 'entries that firmware takes', got);
}

/** Returns the lists in a file, as they are or in an update; undefined when there are none. */
function listsIn(bytes: Uint8Array): Uint8Array | undefined {
  for (const contentOf of [(raw: Uint8Array) => parseAuthenticatedWrite(raw).content, listsOf]) {
    try {
      const content = contentOf(bytes);
      if (parseSignatureLists(content).length > 0) return content;
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
    }
  }
  return undefined;
}

/**
 * Returns a warning for each certificate that db is to hold and dbx forbids.
 * @param db the owner's own certificate first
 * @throws {KEY_INVALID} when dbx forbids that one: nothing would start any more
 */
export function forbiddenTrust(
  path: string,
  dbx: Uint8Array,
  [own, ...others]: readonly Signature[],
): readonly string[] {
  const forbidden = parseForbidden(dbx);
  const isForbidden = ({ type, data }: Signature) =>
    type === X509 && banOf(forbidden, data) !== undefined;
  if (own !== undefined && isForbidden(own)) {
    throw new EspError(
      'KEY_INVALID',
      `--dbx ${path}: it forbids your own certificate in db, and nothing that it signed would start`,
      { hint: 'look whether these are the lists of db or of a former key, and not those of dbx' },
    );
  }
  return others
    .filter(isForbidden)
    .map(
      ({ data }) =>
        `--dbx ${path} forbids ${commonNameOf(data) ?? 'a certificate'}, which db is to hold: nothing that it signed starts`,
    );
}

function listsOf(bytes: Uint8Array): Uint8Array {
  return bytes;
}

function invalid(path: string, expected: string, got: string): EspError {
  return new EspError('KEY_INVALID', `--dbx ${path}: expected ${expected}, got ${got}`, {
    hint: 'take the file that uefi.org or the vendor of the machine publishes, as DBXUpdate.bin',
  });
}
