/** Signs root hashes with a key file, as a signature partition holds them. */
import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { keyOwner } from '../signer/key-safety.ts';
import { loadKeyPair, type SignerFiles } from '../signer/pem.ts';
import { signRootHash } from '../signer/verity-signature.ts';
import type { SignatureDocument } from '../verity/signature-document.ts';

/**
 * Returns what signs root hashes.
 * @throws {KEY_INVALID} {KEY_INSECURE}
 */
export function rootHashSigner(
  files: SignerFiles,
  context: Context,
): (rootHash: string) => SignatureDocument {
  const { disk } = context;
  requireKeyElsewhere(files.privateKey, files.allowInsecureKey, disk);
  const { certificate, privateKey } = loadKeyPair(files, keyOwner(context), disk);
  const der = Uint8Array.from(certificate.raw);
  return (rootHash) => ({
    rootHash,
    certificateFingerprint: hash(der),
    signature: signRootHash(rootHash, der, privateKey),
  });
}
