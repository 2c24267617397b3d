/**
 * `verity sign`: signs a root hash, as a bare signature or as the content of a signature partition.
 */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import { openRaw } from '../disk/raw-file.ts';
import { requireKeyElsewhere, requireTrusted } from '../esp/untrusted-source.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { keyOwner } from '../signer/key-safety.ts';
import { loadKeyPair } from '../signer/pem.ts';
import { signRootHash } from '../signer/verity-signature.ts';
import { chooseRootHash, isRootHash, type RootHash } from '../verity/root-hash.ts';
import { rootHashesIn } from '../verity/root-hash-source.ts';
import { formatSignatureDocument } from '../verity/signature-document.ts';
import { requireOther } from './other-file.ts';
import { signSchema } from './verity-settings.ts';

const VERB = 'verity sign';

/** In bytes. The output of systemd-repart for a full table is far shorter. */
const SOURCE_LIMIT = 16 * 1024 * 1024;

/**
 * Signs the root hash in SOURCE.
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 * @throws {VERITY_MALFORMED} when SOURCE holds no root hash
 * @throws {SOURCE_UNTRUSTED} when it lies on FAT
 */
export async function veritySign(
  { operands: [source = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, print } = context;
  const settings = readFlags(signSchema, flags, VERB);
  const { output, document } = settings;
  if (output === undefined && document === undefined) {
    throw misuse('expected --output, --document or both, got neither', VERB);
  }
  const inputs = [source, settings.certificate, settings['private-key']];
  if (output !== undefined) requireOther('--output', output, inputs, context);
  if (document !== undefined) requireOther('--document', document, inputs, context);
  const { hex } = readRootHash(source, settings.of, context);
  requireKeyElsewhere(settings['private-key'], settings['allow-insecure-key'], disk);
  const { certificate, privateKey } = loadKeyPair(
    {
      certificate: settings.certificate,
      privateKey: settings['private-key'],
      allowInsecureKey: settings['allow-insecure-key'],
    },
    keyOwner(context),
    disk,
  );
  const der = Uint8Array.from(certificate.raw);
  const signature = signRootHash(hex, der, privateKey);
  const certificateFingerprint = hash(der);
  const write = (path: string | undefined, bytes: Uint8Array): void => {
    if (path !== undefined) writeFile(path, bytes, context);
  };
  write(output, signature);
  write(document, formatSignatureDocument({ rootHash: hex, certificateFingerprint, signature }));
  const done = { rootHash: hex, certificateFingerprint, output, document };
  if (json) print(JSON.stringify({ version: 1, verb: VERB, ...done }, undefined, 2));
  else print(`${hex}: signed by ${certificateFingerprint}`);
  return 0;
}

function readRootHash(
  source: string,
  designator: 'root' | 'usr' | undefined,
  { disk }: Context,
): RootHash {
  if (!isRootHash(source)) requireTrusted(source, [], disk);
  const content = isRootHash(source)
    ? new TextEncoder().encode(source)
    : disk.read(source, SOURCE_LIMIT);
  return chooseRootHash(rootHashesIn([{ name: source, content }]), designator, source);
}

function writeFile(path: string, bytes: Uint8Array, context: Context): void {
  using file = openRaw(path, 'replace', context);
  file.writeAt(0, bytes);
  // SAFETY: written in place: until this is durable, what needs the signature that was here may not
  // boot.
  file.sync();
}
