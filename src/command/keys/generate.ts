/** `keys generate`: the keys of Secure Boot for a machine of one's own, in a directory as sbctl has it. */
import { generateKeyPair, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { hash } from '../../digest.ts';
import { EspError } from '../../error.ts';
import { KEY_NAMES, type KeyVariable } from '../../secureboot/key-variable.ts';
import {
  KEY_DIRECTORY,
  keyFileNames,
  keysBelow,
  ownerFile,
  readOwner,
} from '../../signer/key-directory.ts';
import { selfSignedCertificate } from '../../signer/self-signed.ts';
import { placeDirectory } from '../../transaction/place-directory.ts';
import type { Context } from '../context.ts';
import { readFlags } from '../flags.ts';
import type { Invocation } from '../program.ts';

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
});

/** What certificates call their keys, as sbctl does. */
const COMMON_NAMES: Readonly<Record<KeyVariable, string>> = {
  PK: 'Platform Key',
  KEK: 'Key Exchange Key',
  db: 'Database Key',
};

const SECONDS_OF_DAY = 86_400;

/**
 * Makes PK, KEK and db, each with a certificate. Keys that are there are never touched.
 * @throws {KEYS_EXIST}
 */
export async function keysGenerate(
  { operands: [named], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, now, print } = context;
  const { bits, days } = readFlags(schema, flags, VERB);
  const directory = resolve(named ?? KEY_DIRECTORY);
  const keys = keysBelow(directory);
  requireNone(keys, context);
  const owner = readOwner(directory, disk) ?? (await makeOwner(directory, context));
  const made = await Promise.all(KEY_NAMES.map((name) => makeKey(name, bits, { now, days })));
  const files = made.flatMap(({ name, pem, privateKey }): [string, string][] => {
    const names = keyFileNames(name);
    return [
      [names.privateKey, privateKey],
      [names.certificate, pem],
    ];
  });
  const encoded = files.map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
  await placeDirectory(keys, new Map(encoded), context);
  const shown = made.map(({ name, fingerprint }) => ({ name, fingerprint }));
  if (json) {
    print(JSON.stringify({ version: 1, verb: VERB, directory, owner, keys: shown }, undefined, 2));
    return 0;
  }
  for (const { name, fingerprint } of shown) print(`${keys}/${name}: ${fingerprint}`);
  print(`next: sign what boots with ${keys}/db, then espalier keys enroll`);
  return 0;
}

function requireNone(keys: string, { disk }: Context): void {
  const [found] = disk.list(keys) ?? [];
  if (found === undefined && (disk.linkStat(keys)?.kind ?? 'directory') === 'directory') return;
  throw new EspError('KEYS_EXIST', `${keys}: expected no keys, got ${found?.name ?? 'a file'}`, {
    hint: 'use these, or name another directory: what was signed with lost keys does not boot',
  });
}

/** Without an end of line, which sbctl would take for a part of it. */
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
  /** SHA-256 of the certificate. */
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
