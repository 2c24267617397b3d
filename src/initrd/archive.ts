/** An initrd as the kernel unpacks it: archives one behind the other, packed or not, and zeros between. */
import type { ByteSource } from '../byte-source.ts';
import { cpioMembers, type Member, skipZeros, ZERO_DIGIT } from './cpio.ts';
import { type ForwardBytes, fileBytes, UnpackedBytes } from './forward-bytes.ts';
import { type Obstacle, Obstruction } from './obstacle.ts';
import { formatAt } from './packed.ts';
import { windowed } from './pieces.ts';
import type { Unxz } from './xz.ts';

/** What reading an initrd needs from outside, and is to give beyond names. */
export interface ReadSettings {
  /** Without it, what xz has packed cannot be looked into. */
  readonly unxz?: Unxz | undefined;
  /** Members whose paths match come with their content. */
  readonly withContent?: RegExp;
  /** How many bytes may be unpacked in all: far more than any machine has memory for at boot. */
  readonly unpackedLimit?: number;
}

/** What an initrd holds, and last of all what kept it from being read to its end. */
export type Found =
  | { readonly kind: 'member'; readonly member: Member }
  | { readonly kind: 'obstacle'; readonly obstacle: Obstacle };

const UNPACKED_LIMIT = 4 * 1024 ** 3;
const MEMBER_LIMIT = 1_000_000;
const ARCHIVE_LIMIT = 1000;
const ALIGNMENT = 4;
const PLAIN = 'cpio';

/** Where a walk through an initrd is: in which archive, and how far in it. */
interface Place {
  offset: number;
  format: string;
  bytes: ForwardBytes;
}

/**
 * Yields what is in an initrd (Linux early-userspace §buffer-format), in the order in which the kernel
 * unpacks it. Memory does not grow with the archive: contents are passed over. Whatever is in the bytes,
 * this ends; errors of `source` itself pass.
 */
export async function* readInitrd(
  source: ByteSource,
  settings: ReadSettings = {},
): AsyncGenerator<Found> {
  const view = windowed(source);
  const place: Place = { offset: 0, format: PLAIN, bytes: fileBytes(view, 0) };
  try {
    let count = 0;
    for await (const member of members(view, place, settings)) {
      if (++count > MEMBER_LIMIT) throw tooMany('members', MEMBER_LIMIT);
      yield { kind: 'member', member };
    }
  } catch (error) {
    if (!(error instanceof Obstruction)) throw error;
    const { offset, format, bytes } = place;
    const { kind, message: reason } = error;
    yield {
      kind: 'obstacle',
      obstacle: { kind, offset, format, position: bytes.position, reason },
    };
  }
}

async function* members(
  source: ByteSource,
  place: Place,
  { unxz: tool, withContent, unpackedLimit = UNPACKED_LIMIT }: ReadSettings,
): AsyncGenerator<Member> {
  let left = unpackedLimit;
  for (let end = 0, count = 0; ; count++) {
    const first = await moveTo(place, source, end);
    if (first === undefined) return;
    if (count >= ARCHIVE_LIMIT) throw tooMany('archives', ARCHIVE_LIMIT);
    if (first === ZERO_DIGIT && place.offset % ALIGNMENT === 0) {
      yield* cpioMembers(place.bytes, withContent);
      end = place.bytes.position;
      continue;
    }
    const [format, unpack] = formatAt(source, place.offset);
    await using bytes = new UnpackedBytes(unpack(source, place.offset, tool), left);
    Object.assign(place, { format, bytes });
    yield* cpioMembers(bytes, withContent);
    end = await bytes.end();
    left -= bytes.position;
  }
}

/** Goes to the first archive at or behind an offset, and returns its first byte. */
async function moveTo(
  place: Place,
  source: ByteSource,
  offset: number,
): Promise<number | undefined> {
  const bytes = fileBytes(source, offset);
  const first = await skipZeros(bytes);
  Object.assign(place, { offset: bytes.position, format: PLAIN, bytes });
  return first;
}

function tooMany(what: string, limit: number): Obstruction {
  return new Obstruction('unreadable', `expected at most ${limit} ${what}, got more`);
}
