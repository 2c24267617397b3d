/** Signatures that were made to break whoever reads them. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { bytesSource } from '../../src/byte-source.ts';
import { authenticodeDigestInput } from '../../src/pe/authenticode.ts';
import { signAuthenticode } from '../../src/signer/cms.ts';
import { integer, octets, oid, sequence, setOf, tagged } from '../../src/signer/der.ts';
import { aCertificateEntry, aPe, concat, countingBytes } from '../pe/a-pe.ts';
import { certificateDer, privateKey } from '../signer/test-key.ts';
import type { HostileCase } from './case.ts';

const text = (value: string) => new TextEncoder().encode(value);
const MARKER = '#### LoaderInfo: systemd-boot 257.9 ####';

function anImage(table: Uint8Array): Uint8Array {
  const sections = [
    { name: '.osrel', bytes: text('ID=x\nPRETTY_NAME=x\n') },
    { name: '.sdmagic', bytes: text(MARKER) },
    { name: '.linux', bytes: countingBytes(600) },
  ];
  return aPe({ sections, certificateTable: table });
}

/** What every image here has as its digest: a certificate table is no part of it. */
const DIGEST = Uint8Array.from(
  [...authenticodeDigestInput(bytesSource(anImage(aCertificateEntry(text('x')))))]
    .reduce((state, chunk) => state.update(chunk), createHash('sha256'))
    .digest(),
);

const SIGNATURE = signAuthenticode(DIGEST, certificateDer, privateKey);
const NOTHING = Uint8Array.of(5, 0);

/** Nested elements of one tag; the lengths are as many as fit, and right only at the bottom. */
const nested = (depth: number, opening: readonly number[]) =>
  Uint8Array.from({ length: depth * opening.length }, (_, at) => opening[at % opening.length] ?? 0);

/** Definite lengths that are all right: each element holds the next. */
function nestedRightly(depth: number): Uint8Array {
  let inner: Uint8Array = NOTHING;
  for (let level = 0; level < depth; level++) inner = sequence(inner);
  return inner;
}

/** A certificate that has a name and a number, and behind them whatever is given. */
function aCertificate(...rest: readonly Uint8Array[]): Uint8Array {
  return sequence(sequence(integer(7), sequence(), sequence(text('')), ...rest), ...rest);
}

/** A real signature in which the certificates, and as often the signers, are others. */
function withParts(certificates: readonly Uint8Array[], signers = 1): Uint8Array {
  const sha256 = sequence(oid('2.16.840.1.101.3.4.2.1'), NOTHING);
  const content = sequence(oid('1.3.6.1.4.1.311.2.1.4'), tagged(0, sequence()));
  const signer = sequence(integer(1), sequence(), sha256, tagged(0), sequence(), octets(text('x')));
  const data = sequence(
    integer(1),
    setOf(sha256),
    content,
    tagged(0, ...certificates),
    setOf(...Array.from({ length: signers }, () => signer)),
  );
  return sequence(oid('1.2.840.113549.1.7.2'), tagged(0, data));
}

const times = (count: number, bytes: Uint8Array) => Array.from({ length: count }, () => bytes);

/** A signature with one of its bytes changed wherever they occur. */
function replaced(from: Uint8Array, to: Uint8Array): Uint8Array {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  return Uint8Array.from(Buffer.from(hex(SIGNATURE).replaceAll(hex(from), hex(to)), 'hex'));
}

/** Signatures by what is wrong with them. */
export const SIGNATURES: Readonly<Record<string, () => Uint8Array>> = {
  'no DER': () => text('-----BEGIN CERTIFICATE-----'),
  'thirty thousand sequences without an end': () => nested(30_000, [0x30, 0x80]),
  'ten thousand sequences that claim to be large': () =>
    nested(10_000, [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
  'twenty thousand sequences of the longest form': () => nested(20_000, [0x30, 0x82, 0xff]),
  'a length of 127 bytes': () => Uint8Array.of(0x30, 0xff, ...countingBytes(200)),
  'a thousand sequences that are right': () => nestedRightly(1000),
  'a tag without an end': () => nested(60_000, [0xff]),
  'indefinite strings in strings': () => nested(30_000, [0x24, 0x80]),
  'thirty thousand elements': () => sequence(nested(32_000, [5, 0])),
  'a length with zeros before it': () => Uint8Array.of(0x30, 0x84, 0, 0, 0, 2, 5, 0),
  'an identifier of sixty thousand bytes': () =>
    concat([Uint8Array.of(0x06, 0x82, 0xea, 0x60), nested(60_000, [0xff])]),
  'a number of sixty thousand bytes': () =>
    concat([Uint8Array.of(0x02, 0x82, 0xea, 0x60), nested(60_000, [0x7f])]),
  'a date that is none': () => sequence(Uint8Array.of(0x17, 2, 0x41, 0x42), Uint8Array.of(0x18, 0)),
  'a text that is not UTF-8': () =>
    sequence(Uint8Array.of(0x0c, 2, 0xff, 0xfe), Uint8Array.of(0x1e, 1, 0)),
  'thousands of certificates': () => withParts(times(4000, NOTHING)),
  'hundreds of certificates that have a name': () => withParts(times(600, aCertificate())),
  'thousands of signers': () => withParts([certificateDer], 800),
  'no signer': () => withParts([certificateDer], 0),
  'a certificate of another shape with our name': () =>
    signAuthenticode(DIGEST, aCertificate(), privateKey),
  'a certificate whose key is no key': () =>
    signAuthenticode(DIGEST, aCertificate(sequence(), octets(countingBytes(90))), privateKey),
  'a certificate whose key is of another kind': () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    return signAuthenticode(DIGEST, aCertificate(Uint8Array.from(spki)), privateKey);
  },
  'our certificate with a damaged key': () => {
    const middle = certificateDer.subarray(330, 340);
    return replaced(middle, new Uint8Array(10));
  },
  'seventy copies of our certificate': () => {
    const copies = concat(times(60, certificateDer));
    const damaged = signAuthenticode(DIGEST, certificateDer, privateKey);
    return concat([damaged, copies]);
  },
  'a signature of a certificate by itself': () =>
    Uint8Array.from(sign('sha256', certificateDer, privateKey)),
};

/** Signed images, by what is wrong with their signatures. */
export const images = Object.values(SIGNATURES).map((make) => () => {
  const signature = make();
  const entry = aCertificateEntry(signature.subarray(0, 65_000));
  return anImage(concat(times(Math.max(1, Math.floor(1_000_000 / entry.length / 16)), entry)));
});

export const signatureCases: readonly HostileCase[] = [
  {
    name: 'crafted signatures of images',
    signed: true,
    generations: images.length,
    plant: ({ machine, generations }) => {
      for (const [at, make] of images.entries()) machine.put(generations[at]?.entry ?? '', make());
    },
  },
  {
    name: 'crafted signatures of kernels',
    signed: true,
    format: 'type1',
    generations: images.length,
    plant: ({ machine, generations }) => {
      for (const [at, make] of images.entries()) {
        for (const place of generations[at]?.blobs ?? []) machine.put(place, make());
      }
    },
  },
];
