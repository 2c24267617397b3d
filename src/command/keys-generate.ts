/**
 * `keys generate`: makes a machine's own Secure Boot keys, in a directory laid out as sbctl does.
 */
import { generateKeyPair, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { posix, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import { keyPaths } from '../enrolment/set.ts';
import { EspError } from '../error.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { KEY_NAMES, type KeyVariable } from '../secureboot/key-variable.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import {
  KEY_DIRECTORY,
  keyFileNames,
  keysBelow,
  NEXT,
  ownerFile,
  readOwner,
} from '../signer/key-directory.ts';
import { requireFile } from '../signer/pem.ts';
import { selfSignedCertificate } from '../signer/self-signed.ts';
import { placeDirectory } from '../transaction/place-directory.ts';

const VERB = 'keys generate';

const schema = v.strictObject({
  bits: v.pipe(
    v.optional(v.picklist(['2048', '3072', '4096'], 'expected 2048, 3072 or 4096'), '4096'),
    v.transform(Number),
  ),
  days: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^[1-9]\d{0,4}$/, 'expected a number of days')), '3650'),
    v.transform(Number),
  ),
  next: v.optional(v.boolean(), false),
});

/** The common names of the certificates, as sbctl has them. */
const COMMON_NAMES: Readonly<Record<KeyVariable, string>> = {
  PK: 'Platform Key',
  KEK: 'Key Exchange Key',
  db: 'Database Key',
};

const SECONDS_OF_DAY = 86_400;

/**
 * Makes PK, KEK and db, each with a certificate. With `--next` it makes the key that will replace
 * db's. It never touches keys that exist.
 * @throws {KEYS_EXIST}
 * @throws {KEY_INSECURE} when they would lie on FAT
 * @throws {KEY_INVALID} with `--next`, when there is no key of db to replace
 */
export async function keysGenerate(
  { operands: [named], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, now, print } = context;
  const { bits, days, next } = readFlags(schema, flags, VERB);
  const directory = resolve(named ?? KEY_DIRECTORY);
  const keys = keysBelow(directory);
  const place = next ? `${keys}/${NEXT}` : keys;
  if (next) requireFile('certificate', keyPaths(directory, 'db').certificate, disk);
  requireNone(place, context);
  requireKeyElsewhere(place, false, disk);
  const owner = readOwner(directory, disk) ?? (await makeOwner(directory, context));
  const wanted = next ? (['db'] as const) : KEY_NAMES;
  const made = await Promise.all(wanted.map((name) => makeKey(name, bits, { now, days })));
  await placeDirectory(place, filesOf(made, next), context);
  const shown = made.map(({ name, fingerprint }) => ({ name, fingerprint }));
  if (json) {
    print(JSON.stringify({ version: 1, verb: VERB, directory, owner, keys: shown }, undefined, 2));
    return 0;
  }
  for (const { name, fingerprint } of shown) {
    print(`${next ? place : `${keys}/${name}`}: ${fingerprint}`);
  }
  print(
    next
      ? 'next: espalier keys enroll --next'
      : `next: sign what boots with ${keys}/db, then espalier keys enroll`,
  );
  return 0;
}

/** Returns the files of the keys, by their paths below the new directory. */
function filesOf(made: readonly MadeKey[], next: boolean): ReadonlyMap<string, Uint8Array> {
  const files = made.flatMap(({ name, pem, privateKey }): [string, string][] => {
    const names = keyFileNames(name);
    return [
      [names.privateKey, privateKey],
      [names.certificate, pem],
    ];
  });
  const encode = new TextEncoder();
  return new Map(
    files.map(([path, text]) => [next ? posix.basename(path) : path, encode.encode(text)]),
  );
}

function requireNone(keys: string, { disk }: Context): void {
  const [found] = disk.list(keys) ?? [];
  if (found === undefined && (disk.linkStat(keys)?.kind ?? 'directory') === 'directory') return;
  throw new EspError('KEYS_EXIST', `${keys}: expected no keys, got ${found?.name ?? 'a file'}`, {
    hint: 'use these, or name another directory: what was signed with lost keys does not boot',
  });
}

/** Writes no end of line: sbctl would take it for a part of the GUID. */
async function makeOwner(directory: string, { disk }: Context): Promise<string> {
  const owner = randomUUID();
  disk.makeDirectory(directory);
  await disk.replaceText(ownerFile(directory), owner);
  return owner;
}

interface MadeKey {
  readonly name: KeyVariable;
  readonly pem: string;
  readonly privateKey: string;
  /** SHA-256 of the certificate, in hexadecimal. */
  readonly fingerprint: string;
}

async function makeKey(
  name: KeyVariable,
  modulusLength: number,
  { now, days }: { readonly now: number; readonly days: number },
): Promise<MadeKey> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength });
  const der = selfSignedCertificate(
    {
      commonName: COMMON_NAMES[name],
      notBefore: now,
      notAfter: now + days * SECONDS_OF_DAY,
      serialNumber: randomBytes(16),
    },
    pair,
  );
  return {
    name,
    pem: new X509Certificate(der).toString(),
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: hash(der),
  };
}
