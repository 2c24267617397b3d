/** The two documents for signing policies on another machine: the request, and the answer. */
import * as v from 'valibot';
import { type Digest, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { sha256 } from './cms.ts';
import {
  digest,
  formatDocument,
  hexadecimal,
  readDocument,
  signatureSchema,
  wrongDocument,
} from './signing-document.ts';

const VERSION = 1;

const policySchema = v.strictObject({
  what: v.literal('pcr-policy'),
  /** The entry whose image will carry it, and the phase and bank that it is for: for people alone. */
  entry: v.string(),
  phase: v.string(),
  bank: v.string(),
  pcrs: v.array(v.number()),
  /** What gets signed, in hexadecimal: the digest of the policy. */
  tbs: hexadecimal,
  /** The digest that the key signs with PKCS#1 v1.5: SHA-256 of that. */
  digest,
});

const requestSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('policy-request'),
  /** SHA-256 of the public key in PKCS#1. */
  key: hexadecimal,
  machine: v.optional(v.string()),
  since: v.optional(v.string()),
  policies: v.array(policySchema),
});

const signaturesSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('policy-signatures'),
  key: hexadecimal,
  signatures: v.array(signatureSchema),
});

/** One policy in a request. */
export type RequestedPolicy = v.InferOutput<typeof policySchema>;
/** A request. */
export type PolicySigningRequest = v.InferOutput<typeof requestSchema>;
/** The answer: a bare RSA signature of each digest, in base64. */
export type PolicySignatures = v.InferOutput<typeof signaturesSchema>;

/** Returns the text of a request. */
export function formatPolicyRequest(
  key: string,
  policies: readonly Omit<RequestedPolicy, 'what' | 'digest'>[],
  origin: Pick<PolicySigningRequest, 'machine' | 'since'>,
): string {
  const complete = policies.map((policy) => ({
    what: 'pcr-policy',
    ...policy,
    digest: digestFor(policy.tbs),
  }));
  return formatDocument({
    version: VERSION,
    kind: 'policy-request',
    key,
    ...origin,
    policies: complete,
  });
}

/** Returns the text of an answer. */
export function formatPolicySignatures(
  key: string,
  signatures: PolicySignatures['signatures'],
): string {
  return formatDocument({ version: VERSION, kind: 'policy-signatures', key, signatures });
}

/**
 * Reads a request. Each digest has to be that of its policy: a key must sign nothing else.
 * @throws {KEY_INVALID} when it is none
 */
export function readPolicyRequest(path: string, disk: Disk): PolicySigningRequest {
  const request = readDocument(path, requestSchema, disk);
  for (const { entry, phase, tbs, digest: got } of request.policies) {
    const expected = digestFor(tbs);
    if (got === expected) continue;
    throw wrongDocument(path, `${entry}, ${phase}: digest: expected ${expected}, got ${got}`);
  }
  return request;
}

/** Reads an answer. @throws {KEY_INVALID} when it is none */
export function readPolicySignatures(path: string, disk: Disk): PolicySignatures {
  return readDocument(path, signaturesSchema, disk);
}

/** Whether a file asks for signatures of policies, and not of programs. */
export function asksForPolicies(path: string, disk: Disk): boolean {
  const kind = v.safeParse(
    v.object({ kind: v.literal('policy-request') }),
    readDocument(path, v.unknown(), disk),
  );
  return kind.success;
}

function digestFor(tbs: string): Digest {
  return digestOf(sha256(Buffer.from(tbs, 'hex')));
}
