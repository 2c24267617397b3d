/** Loads the keys of a key directory, as far as an enrolment needs them. */
import type { X509Certificate } from 'node:crypto';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import type { Guid } from '../guid.ts';
import type { PerVariable } from '../signer/enrolment.ts';
import {
  type KeyName,
  keyFileNames,
  keysBelow,
  ownerFile,
  readOwner,
} from '../signer/key-directory.ts';
import { keyOwner } from '../signer/key-safety.ts';
import { type KeyPair, loadCertificate, loadKeyPair } from '../signer/pem.ts';

/** The owner's GUID, and the certificate of each variable. */
export type OwnerCertificates = { readonly owner: Guid } & PerVariable<{
  readonly certificate: X509Certificate;
}>;

/**
 * The owner's GUID, and the keys that sign an enrolment. The private key of db may be elsewhere.
 */
export interface KeySet {
  readonly owner: Guid;
  readonly PK: KeyPair;
  readonly KEK: KeyPair;
  readonly db: { readonly certificate: X509Certificate };
}

/**
 * Loads the keys of a directory.
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 */
export function loadKeySet(directory: string, allowInsecureKey: boolean, context: Context): KeySet {
  const owner = requireOwner(directory, context);
  const pair = (name: 'PK' | 'KEK') => loadPair(directory, name, allowInsecureKey, context);
  const { certificate } = keyPaths(directory, 'db');
  const db = { certificate: loadCertificate(certificate, context.disk) };
  return { owner, PK: pair('PK'), KEK: pair('KEK'), db };
}

/** Loads what firmware is to know, without any private key. @throws {KEY_INVALID} */
export function loadOwnerCertificates(directory: string, context: Context): OwnerCertificates {
  const load = (name: KeyName) => ({
    certificate: loadCertificate(keyPaths(directory, name).certificate, context.disk),
  });
  const owner = requireOwner(directory, context);
  return { owner, PK: load('PK'), KEK: load('KEK'), db: load('db') };
}

/** Returns the owner's GUID. @throws {KEY_INVALID} when there is none */
export function requireOwner(directory: string, { disk }: Context): Guid {
  const owner = readOwner(directory, disk);
  if (owner !== undefined) return owner;
  throw new EspError('KEY_INVALID', `${ownerFile(directory)}: there is no such file`, {
    hint: 'make keys with espalier keys generate, or name the directory that has them',
  });
}

/** Loads one key of a directory. @throws {KEY_INVALID} {KEY_INSECURE} */
export function loadPair(
  directory: string,
  name: KeyName,
  allowInsecureKey: boolean,
  context: Context,
): KeyPair {
  const paths = keyPaths(directory, name);
  requireKeyElsewhere(paths.privateKey, allowInsecureKey, context.disk);
  return loadKeyPair({ ...paths, allowInsecureKey }, keyOwner(context), context.disk);
}

/** Returns the paths of the two files of a key. */
export function keyPaths(
  directory: string,
  name: KeyName,
): { readonly certificate: string; readonly privateKey: string } {
  const { certificate, privateKey } = keyFileNames(name);
  const keys = keysBelow(directory);
  return { certificate: `${keys}/${certificate}`, privateKey: `${keys}/${privateKey}` };
}
