/** The JSON of `.pcrsig`: signed policies by bank, as systemd-measure writes and systemd reads them. */

import * as v from 'valibot';
import { EspError } from '../error.ts';
import { complaintOf } from '../schema-issue.ts';

const hexadecimal = v.pipe(v.string(), v.regex(/^([0-9a-f]{2})+$/i, 'expected hexadecimal'));

const entrySchema = v.looseObject({
  pcrs: v.array(v.number()),
  /** SHA-256 of the public key in PKCS#1, in hexadecimal. */
  pkfp: v.optional(hexadecimal),
  /** The reference that the policy is bound to. */
  ref: v.optional(v.string()),
  /** The digest of the policy. */
  pol: hexadecimal,
  /** What has to be signed elsewhere. */
  tbs: v.optional(hexadecimal),
  /** RSA PKCS#1 v1.5 with SHA-256, in base64, whatever the bank is. */
  sig: v.optional(v.string()),
});

const documentSchema = v.record(v.string(), v.array(entrySchema));

/** One policy of the JSON. */
export type PolicyEntry = v.InferOutput<typeof entrySchema>;
/** The JSON: the name of a bank, and its policies. */
export type PolicyDocument = Readonly<Record<string, readonly PolicyEntry[]>>;

/**
 * Reads the JSON of a `.pcrsig`. Keys that nobody here knows are passed over.
 * @param what names it in the error
 * @throws {CONFIG_INVALID} when it is none
 */
export function parsePolicies(text: string, what: string): PolicyDocument {
  const checked = v.safeParse(documentSchema, parseJson(text, what));
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw invalid(what, `${v.getDotPath(issue) ?? 'document'}: ${complaintOf(issue)}`);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote foreign text.
    throw invalid(what, 'expected JSON');
  }
}

function invalid(what: string, message: string): EspError {
  return new EspError('CONFIG_INVALID', `${what}: ${message}`, {
    hint: 'take what ukify build --policy-digest or systemd-measure policy-digest printed',
  });
}

/** Joins documents bank by bank. An entry that is there already is not repeated. */
export function combined(documents: readonly PolicyDocument[]): PolicyDocument {
  const banks = new Map<string, Map<string, PolicyEntry>>();
  for (const [bank, entries] of documents.flatMap((document) => Object.entries(document))) {
    const known = banks.get(bank) ?? new Map<string, PolicyEntry>();
    banks.set(bank, known);
    for (const entry of entries) known.set(JSON.stringify(entry), entry);
  }
  return Object.fromEntries([...banks].map(([bank, known]) => [bank, [...known.values()]]));
}

/** Puts signatures that were made elsewhere into the policies that they are for, bank by bank. */
export function withSignatures(document: PolicyDocument, signed: PolicyDocument): PolicyDocument {
  return Object.fromEntries(
    Object.entries(document).map(([bank, entries]) => [
      bank,
      entries.map((entry) => {
        const sig = signed[bank]?.findLast((other) => isSamePolicy(entry, other))?.sig;
        return sig === undefined ? entry : { ...entry, sig };
      }),
    ]),
  );
}

function isSamePolicy(one: PolicyEntry, other: PolicyEntry): boolean {
  if (one.tbs !== undefined && other.tbs !== undefined) return one.tbs === other.tbs;
  return one.pol === other.pol && one.ref === other.ref;
}

/** Returns the text that ukify puts into an image: Python's JSON, with a blank behind each comma and colon. */
export function formatPolicies(document: PolicyDocument): string {
  return spaced(document);
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, below]) => `${ascii(key)}: ${spaced(below)}`);
    return `{${pairs.join(', ')}}`;
  }
  return typeof value === 'string' ? ascii(value) : JSON.stringify(value);
}

/** Python escapes what is not ASCII. */
function ascii(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
