/** Keys of Secure Boot in a directory of a test's own, and certificates that say that they are Microsoft's. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../lab/run.ts';
import type { Machine } from './a-machine.ts';

const generate = ['keys', 'generate', '--bits', '2048'];

/** Makes small keys with the program itself, and returns their directory. */
export async function aKeyDirectory(machine: Machine, name = 'sbctl'): Promise<string> {
  const directory = join(machine.root, name);
  const { status, error } = await machine.runWith({}, ...generate, directory);
  assert.equal(status, 0, error?.message);
  return directory;
}

/** Writes a certificate with this common name, of Microsoft unless another is named, as DER. Needs openssl. */
export function aMicrosoftCertificate(
  path: string,
  commonName: string,
  organisation = 'Microsoft Corporation',
): string {
  fs.mkdirSync(dirname(path), { recursive: true });
  const subject = ['-subj', `/C=US/O=${organisation}/CN=${commonName}`, '-days', '2'];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-outform', 'DER'];
  run('openssl', [...request, ...subject, '-keyout', '/dev/null', '-out', path]);
  return path;
}
