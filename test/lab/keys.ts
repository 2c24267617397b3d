/** Throw-away Secure Boot keys, and the files by which systemd-boot enrols them. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.ts';

/** A set of keys in a folder. `certificate` and `privateKey` are db's, in PEM. */
export interface Keys {
  readonly folder: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** The variables in the order of who may sign whom: PK signs itself and KEK, KEK signs db. */
const signers = { PK: 'PK', KEK: 'PK', db: 'KEK' } as const;
const variables = Object.keys(signers) as (keyof typeof signers)[];
const owner = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11';

/** Makes a key and a certificate for PK, KEK and db in `folder`, unless they are there. Needs openssl. */
export function makeKeys(folder: string): Keys {
  const keys = { folder, certificate: join(folder, 'db.pem'), privateKey: join(folder, 'db.key') };
  if (existsSync(folder)) return keys;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    for (const name of variables) makeKey(work, name);
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return keys;
}

function makeKey(folder: string, name: string): void {
  const key = join(folder, `${name}.key`);
  const request = ['req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256'];
  const subject = ['-days', '3650', '-subj', `/CN=Espalier lab ${name}`];
  run('openssl', [...request, ...subject, '-keyout', key, '-out', join(folder, `${name}.pem`)]);
  chmodSync(key, 0o600);
}

/** Puts the enrolment files where systemd-boot looks for them (loader.conf(5) `secure-boot-enroll`). Needs efitools. */
export function placeEnrolment(keys: Keys, esp: string): void {
  const target = join(esp, 'loader/keys/auto');
  mkdirSync(target, { recursive: true });
  for (const name of variables) {
    copyFileSync(enrolmentFile(keys, name), join(target, `${name}.auth`));
  }
}

function enrolmentFile({ folder }: Keys, name: keyof typeof signers): string {
  const file = (base: string, suffix: string): string => join(folder, `${base}.${suffix}`);
  const auth = file(name, 'auth');
  if (existsSync(auth)) return auth;
  const signer = signers[name];
  run('cert-to-efi-sig-list', ['-g', owner, file(name, 'pem'), file(name, 'esl')]);
  const signature = ['-k', file(signer, 'key'), '-c', file(signer, 'pem')];
  run('sign-efi-sig-list', [...signature, name, file(name, 'esl'), auth]);
  return auth;
}
