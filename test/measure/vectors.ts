/** Vectors that systemd-measure 262.1 made: eight sections, their values, policies and signatures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bank } from '../../src/uki/pcr-bank.ts';
import { aPe } from '../pe/a-pe.ts';

const folder = join(import.meta.dirname, '../../fixtures/pcr');

/** The key that signed them, and its public half. */
export const POLICY_KEY = join(folder, 'key.pem');
export const POLICY_PUBLIC_KEY = join(folder, 'public.pem');

interface Vectors {
  readonly sections: Readonly<Record<string, string>>;
  readonly calculate: Readonly<Record<Bank, readonly { phase?: string; hash: string }[]>>;
  readonly policyDigest: Readonly<Record<Bank, readonly object[]>>;
  readonly sign: Readonly<Record<Bank, readonly object[]>>;
  readonly signShort: string;
  readonly signWithReference: string;
  readonly policyDigestWithReference: string;
}

export const VECTORS: Vectors = JSON.parse(readFileSync(join(folder, 'vectors.json'), 'utf8'));

/** An image with the sections of the vectors. */
export function vectorImage(): Uint8Array {
  const sections = Object.entries(VECTORS.sections).map(([name, text]) => ({
    name,
    bytes: new TextEncoder().encode(text),
  }));
  return aPe({ sections });
}
