/** Reads the places that hold Secure Boot keys: the key directory, firmware, and sets on ESPs. */
import { X509Certificate } from 'node:crypto';
import type { Context } from '../context.ts';
import { type Digest, hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import type { Guid } from '../guid.ts';
import { keyVariable } from '../loader/efi-variables.ts';
import { parseAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { KEY_NAMES, type KeyVariable } from '../secureboot/key-variable.ts';
import { parseSignatureLists, X509 } from '../secureboot/signature-list.ts';
import type { PerVariable } from '../signer/enrolment.ts';
import { type KeyName, keysBelow, NEXT, readOwner } from '../signer/key-directory.ts';
import { loadCertificate } from '../signer/pem.ts';
import { enrolmentDirectory, readEnrolment } from './enrolment-files.ts';
import { keyPaths, loadPair } from './set.ts';

/** A certificate where it was found. */
export interface FoundCertificate {
  readonly der: Uint8Array;
  readonly owner: Guid | undefined;
}

/** What one place holds, and what is wrong with it. */
export interface KeyPlace {
  readonly name: string;
  readonly holds: PerVariable<readonly FoundCertificate[]>;
  readonly problems: readonly string[];
}

/** Reads a key directory, and checks that each private key there belongs to its certificate. */
export function keysIn(directory: string, allowInsecureKey: boolean, context: Context): KeyPlace {
  return gather('keys', (variable) => keyIn(directory, variable, allowInsecureKey, context));
}

/** Reads the key that will replace db's, if there is one. */
export function nextKeyIn(
  directory: string,
  allowInsecureKey: boolean,
  context: Context,
): KeyPlace | undefined {
  if (context.disk.stat(`${keysBelow(directory)}/${NEXT}`)?.kind !== 'directory') return undefined;
  return gather(NEXT, (variable) =>
    variable === 'db' ? keyIn(directory, NEXT, allowInsecureKey, context) : [],
  );
}

function keyIn(
  directory: string,
  name: KeyName,
  allowInsecureKey: boolean,
  context: Context,
): readonly FoundCertificate[] {
  const { disk } = context;
  const paths = keyPaths(directory, name);
  const certificate = loadCertificate(paths.certificate, disk);
  if (disk.stat(paths.privateKey)) loadPair(directory, name, allowInsecureKey, context);
  return [{ der: Uint8Array.from(certificate.raw), owner: readOwner(directory, disk) }];
}

/** Reads the keys of firmware. */
export function keysInFirmware(efivars: string, disk: Disk): KeyPlace {
  return gather('firmware', (variable) =>
    certificatesIn(keyVariable(disk, efivars, variable) ?? new Uint8Array()),
  );
}

/** Reads a set on an ESP. systemd-boot ignores an incomplete one. */
export function keysOnEsp(root: string, name: string, disk: Disk): KeyPlace {
  const directory = enrolmentDirectory(name);
  const files = readEnrolment(root, directory, disk);
  return gather(`${root}/${directory}`, (variable) => {
    const bytes = files[variable];
    if (bytes !== undefined) return certificatesIn(parseAuthenticatedWrite(bytes).content);
    throw new EspError(
      'FILE_MISSING',
      `${variable}.auth is missing: nothing is enrolled from here`,
    );
  });
}

function certificatesIn(lists: Uint8Array): readonly FoundCertificate[] {
  return parseSignatureLists(lists)
    .filter(({ type }) => type === X509)
    .map(({ data, owner }) => ({ der: Uint8Array.from(data), owner }));
}

/** An unreadable variable is a problem of its place. The other variables are still shown. */
function gather(
  name: string,
  read: (variable: KeyVariable) => readonly FoundCertificate[],
): KeyPlace {
  const problems: string[] = [];
  const holds = { PK: [], KEK: [], db: [] } as Record<KeyVariable, readonly FoundCertificate[]>;
  for (const variable of KEY_NAMES) {
    try {
      holds[variable] = read(variable);
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      problems.push(`${name}: ${variable}: ${explain(error)}`);
    }
  }
  return { name, holds, problems };
}

/** A certificate, and every place that holds it. */
export interface KnownCertificate {
  readonly variable: KeyVariable;
  /** Its common name, or what is wrong with it. */
  readonly name: string;
  readonly fingerprint: Digest;
  /** The last day on which it is valid. Firmware ignores it. */
  readonly validTo: string | null;
  readonly owner: Guid | null;
  readonly in: readonly string[];
}

/** Returns every certificate once for each variable, in the order of the places. */
export function knownCertificates(places: readonly KeyPlace[]): readonly KnownCertificate[] {
  return KEY_NAMES.flatMap((variable) => {
    const found = places.flatMap(({ name, holds }) =>
      holds[variable].map((certificate) => ({ ...certificate, place: name })),
    );
    return [...Map.groupBy(found, ({ der }) => hash(der))].map(([fingerprint, same]) => ({
      variable,
      ...describeCertificate(same[0]?.der ?? new Uint8Array()),
      fingerprint,
      owner: same.find(({ owner }) => owner)?.owner ?? null,
      in: [...new Set(same.map(({ place }) => place))],
    }));
  });
}

function describeCertificate(der: Uint8Array): Pick<KnownCertificate, 'name' | 'validTo'> {
  try {
    const { subject, validToDate } = new X509Certificate(der);
    const name = /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ');
    return { name, validTo: validToDate.toISOString().slice(0, 10) };
  } catch {
    // Firmware stores certificates unchecked, so one may have no readable date.
    return { name: 'a certificate that cannot be read', validTo: null };
  }
}
