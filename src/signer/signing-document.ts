/** The two documents by which programs are signed on another machine: what is asked for, and the answer. */
import * as v from 'valibot';
import { type Digest, digestBytes, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { digestToSign } from './cms.ts';

/** Raised when a reader would have to change. */
const VERSION = 1;
/** Some ten thousand signatures: bytes. */
const MAX_FILE = 16 * 1024 * 1024;

const hexadecimal = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest in lower-case hexadecimal'),
);
const digest = v.pipe(
  hexadecimal,
  v.transform((text) => text as Digest),
);
const word = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a word'));
const base64 = v.pipe(v.string(), v.base64('expected base64'));

const programSchema = v.strictObject({
  /**
   * `kernel`, `loader`, the kind of an image, or `program` for one that is not for the ESP. For
   * people alone: what is signed is told by the digests.
   */
  what: word,
  /** Where it goes: on the ESP, or absolute; null when its name follows from its signature. */
  path: v.nullable(v.string()),
  /** The file that it is made from, where it is one. */
  source: v.optional(v.string()),
  /** Bytes, signed. */
  size: v.number(),
  /** The Authenticode digest (SHA-256). */
  image: digest,
  /** What a key signs with PKCS#1 v1.5: the SHA-256 digest of the signed attributes. */
  digest,
});

const requestSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('signing-request'),
  /** The SHA-256 of the certificate in DER. */
  certificate: hexadecimal,
  programs: v.array(programSchema),
});

const signaturesSchema = v.strictObject({
  version: v.literal(VERSION),
  kind: v.literal('signatures'),
  certificate: hexadecimal,
  signatures: v.array(v.strictObject({ digest, signature: base64 })),
});

/** One program in a request. */
export type RequestedProgram = v.InferOutput<typeof programSchema>;
/** A request. */
export type SigningRequest = v.InferOutput<typeof requestSchema>;
/** Its answer: a bare RSA signature of each digest, in base64. */
export type SignaturesDocument = v.InferOutput<typeof signaturesSchema>;

/** Returns the text of a request. */
export function formatSigningRequest(
  certificate: string,
  programs: readonly Omit<RequestedProgram, 'digest'>[],
): string {
  const complete = programs.map((program) => ({ ...program, digest: digestFor(program.image) }));
  return format({ version: VERSION, kind: 'signing-request', certificate, programs: complete });
}

/** Returns the text of an answer. */
export function formatSignatures(
  certificate: string,
  signatures: SignaturesDocument['signatures'],
): string {
  return format({ version: VERSION, kind: 'signatures', certificate, signatures });
}

function format(document: SigningRequest | SignaturesDocument): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/**
 * Reads a request. Each digest in it is that of an image: a key is not to sign anything else.
 * @throws {KEY_INVALID} when it is none
 */
export function readSigningRequest(path: string, disk: Disk): SigningRequest {
  const request = read(path, requestSchema, disk);
  for (const program of request.programs) {
    const expected = digestFor(program.image);
    if (program.digest === expected) continue;
    const name = program.path ?? program.source ?? program.what;
    throw invalid(path, `${name}: digest: expected ${expected}, got ${program.digest}`);
  }
  return request;
}

/** Reads an answer. @throws {KEY_INVALID} when it is none */
export function readSignatures(path: string, disk: Disk): SignaturesDocument {
  return read(path, signaturesSchema, disk);
}

function digestFor(image: Digest): Digest {
  return digestOf(digestToSign(digestBytes(image)));
}

function read<Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
  disk: Disk,
): v.InferOutput<Schema> {
  if (disk.stat(path)?.kind !== 'file') throw invalid(path, 'expected a file, found none');
  const checked = v.safeParse(schema, parse(path, disk));
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw invalid(path, `${v.getDotPath(issue) ?? 'document'}: ${issue.message}`);
}

function parse(path: string, disk: Disk): unknown {
  const text = new TextDecoder().decode(disk.read(path, MAX_FILE));
  try {
    return JSON.parse(text);
  } catch {
    // The parser would quote what somebody else wrote.
    throw invalid(path, 'expected JSON');
  }
}

function invalid(path: string, message: string): EspError {
  return new EspError('KEY_INVALID', `${path}: ${message}`, {
    hint: 'take the whole file, as it was written on the other machine',
  });
}
