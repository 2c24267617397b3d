/** The certificates that lead from a signer's towards one that firmware knows. */
import { X509Certificate } from 'node:crypto';

/** Returns the certificate in PEM or DER; none when it cannot be decoded, for then it leads nowhere. */
export function certificateIn(encoded: string | Uint8Array): readonly X509Certificate[] {
  try {
    return [new X509Certificate(encoded)];
  } catch {
    return [];
  }
}

/**
 * Returns a certificate and, behind it, those of the others that issued it or one of its issuers, each
 * once. Firmware follows only what may issue, so a certificate that is no authority ends its branch.
 */
export function chainFrom(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
): readonly X509Certificate[] {
  const chain = [leaf];
  // The list grows while it is walked: every issuer that is found may have issuers.
  for (const certificate of chain) {
    for (const candidate of others) {
      const isThere = chain.some(({ raw }) => raw.equals(candidate.raw));
      if (!isThere && candidate.ca && isIssuedBy(certificate, candidate)) chain.push(candidate);
    }
  }
  return chain;
}

/** Tells whether one certificate signed another; a key that cannot be read signed nothing. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}
