/** The two documents for signing on another machine: the request, and the answer. */

import * as v from 'valibot';
import { type Digest, digestBytes, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { complaintOf } from '../schema-issue.ts';
import { digestToSign } from './cms.ts';

/** Raised when its readers have to change. */
const VERSION = 1;
/** In bytes: room for some ten thousand signatures. */
const MAX_FILE = 16 * 1024 * 1024;

/** 32 bytes in hexadecimal. */
export const hexadecimal = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest in lower-case hexadecimal'),
);
/** SHA-256. */
export const digest = v.pipe(
  hexadecimal,
  v.transform((text) => text as Digest),
);
const word = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a word'));
/** A bare RSA signature in base64, and the digest that it is of: how every answer gives it. */
export const signatureSchema = v.strictObject({
  digest,
  signature: v.pipe(v.string(), v.base64('expected base64')),
});

const programSchema = v.strictObject({
  /**
   * `kernel`, `loader`, the kind of an image, or `program` for a file beside the ESP. It is for
   * people alone: the digests decide what gets signed.
   */
  what: word,
  /** Its path on the ESP, or an absolute path; null when its name follows from its signature. */
  path: v.nullable(v.string()),
  /** The file that it is made from, if there is one. */
  source: v.optional(v.string()),
  /** Size with its signature, in bytes. */
  size: v.number(),
  /** The Authenticode digest (SHA-256) of the program. */
  image: digest,
  /** The digest that the key signs with PKCS#1 v1.5: SHA-256 of the signed attributes. */
  digest,
});

const requestSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('signing-request'),
  /** The SHA-256 of the certificate in DER. */
  certificate: hexadecimal,
  /** The name of the machine that asks, and when it asked. */
  machine: v.optional(v.string()),
  since: v.optional(v.string()),
  programs: v.array(programSchema),
});

const signaturesSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('signatures'),
  certificate: hexadecimal,
  signatures: v.array(signatureSchema),
});

/** One program in a request. */
export type RequestedProgram = v.InferOutput<typeof programSchema>;
/** A request. */
export type SigningRequest = v.InferOutput<typeof requestSchema>;
/** The answer: a bare RSA signature of each digest, in base64. */
export type SignaturesDocument = v.InferOutput<typeof signaturesSchema>;

/** Returns the text of a request. */
export function formatSigningRequest(
  certificate: string,
  programs: readonly Omit<RequestedProgram, 'digest'>[],
  origin: Pick<SigningRequest, 'machine' | 'since'> = {},
): string {
  const complete = programs.map((program) => ({ ...program, digest: digestFor(program.image) }));
  const kind = 'signing-request';
  return formatDocument({ version: VERSION, kind, certificate, ...origin, programs: complete });
}

/** Returns the text of an answer. */
export function formatSignatures(
  certificate: string,
  signatures: SignaturesDocument['signatures'],
): string {
  return formatDocument({ version: VERSION, kind: 'signatures', certificate, signatures });
}

/** Returns the text of a document. */
export function formatDocument(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/**
 * Reads a request. It checks that each digest belongs to an image: a key must sign nothing else.
 * @throws {KEY_INVALID} when it is none
 */
export function readSigningRequest(path: string, disk: Disk): SigningRequest {
  const request = readDocument(path, requestSchema, disk);
  for (const program of request.programs) {
    const expected = digestFor(program.image);
    if (program.digest === expected) continue;
    const name = program.path ?? program.source ?? program.what;
    throw wrongDocument(path, `${name}: digest: expected ${expected}, got ${program.digest}`);
  }
  return request;
}

/** Reads an answer. @throws {KEY_INVALID} when it is none */
export function readSignatures(path: string, disk: Disk): SignaturesDocument {
  return readDocument(path, signaturesSchema, disk);
}

function digestFor(image: Digest): Digest {
  return digestOf(digestToSign(digestBytes(image)));
}

/** Reads a document. @throws {KEY_INVALID} when it is none */
export function readDocument<Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
  disk: Disk,
): v.InferOutput<Schema> {
  if (disk.stat(path)?.kind !== 'file') throw wrongDocument(path, 'expected a file, found none');
  const checked = v.safeParse(schema, parse(path, disk));
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw wrongDocument(path, `${v.getDotPath(issue) ?? 'document'}: ${complaintOf(issue)}`);
}

function parse(path: string, disk: Disk): unknown {
  const text = new TextDecoder().decode(disk.read(path, MAX_FILE));
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote foreign text.
    throw wrongDocument(path, 'expected JSON');
  }
}

/** Returns the error of a document that is not what it should be. */
export function wrongDocument(path: string, message: string): EspError {
  return new EspError('KEY_INVALID', `${path}: ${message}`, {
    hint: 'take the whole file, as it was written on the other machine',
  });
}
