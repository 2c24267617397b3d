/** `keys enroll --next`: writes the update that adds the next key to firmware's db. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { handOver } from '../enrolment/rotation.ts';
import { keyPaths, loadPair, requireOwner } from '../enrolment/set.ts';
import { EspError } from '../error.ts';
import { parseAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { formatSignatureLists, X509 } from '../secureboot/signature-list.ts';
import { formatAddition } from '../signer/enrolment.ts';
import { additionFile, NEXT } from '../signer/key-directory.ts';
import { loadCertificate, requireFile } from '../signer/pem.ts';
import { placeFile } from '../transaction/place-file.ts';

/** In bytes. One certificate takes far less. */
const MAX_FILE = 65_536;

/**
 * Writes the update beside the next key, signed by the present KEK. An existing update stays.
 * @throws {KEY_INVALID} {KEY_INSECURE}
 */
export async function enrollNext(
  directory: string,
  allowInsecureKey: boolean,
  json: boolean,
  context: Context,
): Promise<number> {
  const { disk, now, print } = context;
  const owner = requireOwner(directory, context);
  const KEK = loadPair(directory, 'KEK', allowInsecureKey, context);
  const { certificate } = keyPaths(directory, NEXT);
  requireFile('certificate', certificate, disk);
  const next = loadCertificate(certificate, disk);
  const data = Uint8Array.from(next.raw);
  const content = formatSignatureLists([{ type: X509, owner, data }]);
  const path = additionFile(directory);
  const there = fileAt(path, disk);
  const known = timeOf(there);
  const isSame =
    known !== undefined && Buffer.compare(there, formatAddition(content, KEK, known)) === 0;
  const made = [next, KEK.certificate].map(({ validFromDate }) => validFromDate.getTime() / 1000);
  const time = isSame ? known : Math.max(now, ...made);
  if (!isSame) await placeFile(path, formatAddition(content, KEK, time), context);
  const done = { path, time: new Date(time * 1000).toISOString(), written: !isSame };
  if (json) print(JSON.stringify({ version: 1, verb: 'keys enroll', ...done }, undefined, 2));
  else {
    print(`${path}: ${isSame ? 'nothing to do' : 'written'}`);
    print(`next: ${handOver(path, 'append')}`);
  }
  return 0;
}

function fileAt(path: string, disk: Disk): Uint8Array {
  return disk.stat(path)?.kind === 'file' ? disk.read(path, MAX_FILE) : new Uint8Array();
}

function timeOf(bytes: Uint8Array): number | undefined {
  try {
    return parseAuthenticatedWrite(bytes).time;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
