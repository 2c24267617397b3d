/** Tells whether this machine's firmware starts what a certificate signs. */
import { X509Certificate } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { hasShim, keyVariable } from '../loader/efi-variables.ts';
import { parseSignatureLists, type Signature, X509 } from '../secureboot/signature-list.ts';

/**
 * Returns whether firmware knows a certificate or its issuer. Returns undefined when that is
 * unknown: where shim starts first, shim consults its own list too.
 */
export function firmwareTrusts(
  certificate: X509Certificate,
  variables: string,
  disk: Disk,
): boolean | undefined {
  const known = hasShim(disk, variables) ? undefined : signaturesIn(variables, disk);
  if (known === undefined) return undefined;
  return known.some(({ type, data }) => type === X509 && vouchesFor(data, certificate));
}

function signaturesIn(variables: string, disk: Disk): readonly Signature[] | undefined {
  try {
    const lists = keyVariable(disk, variables, 'db');
    return lists && parseSignatureLists(lists);
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

function vouchesFor(der: Uint8Array, certificate: X509Certificate): boolean {
  if (Buffer.compare(der, certificate.raw) === 0) return true;
  try {
    const authority = new X509Certificate(der);
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  } catch {
    // Firmware stores certificates unchecked, so one may not parse.
    return false;
  }
}
