/**
 * Reads an initrd as the kernel unpacks it: archives in a row, packed or not, with zeros between.
 */
import type { ByteSource } from '../byte-source.ts';
import { cpioMembers, type Member, skipZeros, ZERO_DIGIT } from './cpio.ts';
import { type ForwardBytes, fileBytes, UnpackedBytes } from './forward-bytes.ts';
import { type Obstacle, Obstruction } from './obstacle.ts';
import { formatAt } from './packed.ts';
import { windowed } from './pieces.ts';
import type { Unxz } from './xz.ts';

/** What reading an initrd needs, and what it returns besides names. */
export interface ReadSettings {
  /** Unpacks xz. Without it, a part packed with xz is an obstacle. */
  readonly unxz?: Unxz | undefined;
  /** Members whose paths match are returned with their content. */
  readonly withContent?: RegExp;
  /** The most bytes that may be unpacked in all. No machine has the memory for more at boot. */
  readonly unpackedLimit?: number;
}

/** A member of an initrd; last of all the obstacle at which reading ended. */
export type Found =
  | { readonly kind: 'member'; readonly member: Member }
  | { readonly kind: 'obstacle'; readonly obstacle: Obstacle };

const UNPACKED_LIMIT = 4 * 1024 ** 3;
const MEMBER_LIMIT = 1_000_000;
const ARCHIVE_LIMIT = 1000;
const ALIGNMENT = 4;
const PLAIN = 'cpio';

/** The current archive of a walk through an initrd, and the position in it. */
interface Place {
  offset: number;
  format: string;
  bytes: ForwardBytes;
}

/**
 * Yields the members of an initrd (Linux early-userspace §buffer-format), in the order in which the
 * kernel unpacks it. It skips contents, so memory does not grow with the archive. It ends for any
 * bytes; it passes on errors of `source`.
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

/** Moves to the first archive at or behind an offset, and returns its first byte. */
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
