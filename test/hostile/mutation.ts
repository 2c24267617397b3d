/** Bytes and texts that were right once, changed where it hurts. */
import fc from 'fast-check';
import type { ByteSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';

/** One change to bytes; places and lengths are taken modulo what is there. */
type Edit =
  | { readonly kind: 'field'; readonly at: number; readonly width: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array };

/** Numbers at which sums, signs and lengths go wrong. */
const EDGES = [
  ...[0, 1, 2, 7, 8, 9, 0x3c, 0x7f, 0x80, 0x81, 0x84, 0xff, 0x100, 0x1ff, 0x200, 0x1000],
  ...[0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff],
];

/** Headers come first, and most of what decides stands in them. */
const place = fc.oneof({ weight: 4, arbitrary: fc.nat(0x200) }, fc.nat(0x400), fc.nat(0xffff));
const number = fc.oneof(fc.constantFrom(...EDGES), fc.nat(0x2000), fc.nat(0xffff_ffff));

const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('field' as const),
      at: place,
      width: fc.constantFrom(1, 2, 4, 8),
      value: number,
    }),
  },
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('copy' as const), from: place, to: place, length: fc.nat(600) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: place,
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
);

/** Any of these bytes with a few changes, or any bytes at all. */
export function mutated(...bases: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const changed = fc
    .tuple(fc.constantFrom(...bases), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([base, edits]) => edits.reduce(apply, base));
  return fc.oneof(
    { weight: 20, arbitrary: changed },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3000 }) },
  );
}

function apply(bytes: Uint8Array, change: Edit): Uint8Array {
  const size = bytes.length + 1;
  switch (change.kind) {
    case 'cut':
      return bytes.slice(0, change.at % size);
    case 'insert': {
      const at = change.at % size;
      return Uint8Array.from([...bytes.subarray(0, at), ...change.bytes, ...bytes.subarray(at)]);
    }
    case 'copy': {
      const copy = bytes.slice();
      const from = change.from % size;
      copy.copyWithin(change.to % size, from, from + change.length);
      return copy;
    }
    case 'field': {
      const copy = bytes.slice();
      for (let at = 0; at < change.width; at++) {
        const where = (change.at % size) + at;
        if (where < copy.length) copy[where] = Math.floor(change.value / 256 ** at) & 0xff;
      }
      return copy;
    }
  }
}

/** Words of formats, and what stands between them. */
export function texts(...words: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...words) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(' ', '\n', '\t', '=', '"', "'", '\\', '\0', '\r', '#', '%'),
    },
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc
      .tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.nat(3000))
      .map(([text, count]) => text.repeat(count)),
  );
  return fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
}

/** What a parser reads of a file, at most, for every byte of it; headers may be read some times over. */
const READS_PER_BYTE = 64;
const READS_AT_ALL = 4 * 1024 * 1024;

/**
 * A source that claims to be larger than its bytes, as a sparse file is, and that fails when a parser
 * reads more than bounded work can explain, or asks for more at once than there is.
 */
export function rationed(bytes: Uint8Array, size = bytes.length): ByteSource {
  let left = READS_AT_ALL + READS_PER_BYTE * bytes.length;
  return {
    size,
    read(offset, length) {
      if (!(length >= 0 && offset >= 0)) throw new RangeError(`read of ${length} at ${offset}`);
      const part = bytes.subarray(offset, offset + length);
      left -= part.length + 1;
      if (left < 0) throw new Error('a parser reads without end');
      return part;
    },
  };
}

/** Runs a parser, which may return or refuse, and nothing else. */
export function tolerates(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
  }
}
