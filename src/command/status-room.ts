/** How full an ESP is, as `status` draws it. Pure. */

import { MAKE_ROOM } from '../html/words.ts';
import type { Text } from '../process/styled-text.ts';
import { enumerated, formatSize } from '../quantity.ts';
import { bar, type Share } from '../terminal/bar.ts';
import { unbroken, wrapped } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import type { SeenEsp } from './status-document.ts';

/** In columns. A bar that is wider says no more. */
const WIDEST_BAR = 64;

/** How many are named. An ESP that was replaced lacks all files, which would fill the screen. */
const NAMED = 5;

/** Returns the first of these lines, and how many there are besides. */
export function firstOf(lines: readonly string[]): readonly string[] {
  const rest = lines.length - NAMED;
  return [...lines.slice(0, NAMED), ...(rest > 0 ? [`and ${rest} more`] : [])];
}

/** Returns what fills the volumes of an ESP, and how many more generations fit. */
export function roomLines(
  { status, reserve }: { readonly status: SeenEsp; readonly reserve: number },
  width: number,
): readonly Text[] {
  const { space, espSpace, xbootldr, sharedImages = [], leftOut } = status;
  const { roomFor } = space;
  const others = space.total - space.free - space.ours;
  const fits: Text =
    roomFor === 0
      ? { text: 'no room for another generation', meaning: 'caution' }
      : `room for about ${roomFor} more ${roomFor === 1 ? 'generation' : 'generations'}`;
  return [
    ...volumeLines(xbootldr ?? status.esp, { ...space, others, reserve }, width),
    fits,
    ...leftOutLines(leftOut, width),
    ...firstOf(sharedImages.map(renderShared)).flatMap((line) => wrapped(line, width)),
    ...(espSpace === undefined
      ? []
      : volumeLines(
          status.esp,
          { ...espSpace, ours: 0, others: espSpace.total - espSpace.free, reserve },
          width,
        )),
  ];
}

/** That a generation does not fit is no fault: what fits is there. */
function leftOutLines(leftOut: readonly string[], width: number): readonly Text[] {
  if (leftOut.length === 0) return [];
  const text = `left out for lack of room: ${leftOut.map(printable).join(', ')}; ${MAKE_ROOM}`;
  return wrapped(text, width).map((line) => ({ text: line, meaning: 'caution' }));
}

/** What lies on a volume. In bytes. */
interface Volume {
  readonly total: number;
  readonly free: number;
  readonly ours: number;
  readonly others: number;
  readonly reserve: number;
}

function volumeLines(path: string, volume: Volume, width: number): readonly Text[] {
  const { total, free, ours, others, reserve } = volume;
  const kept = Math.min(free, reserve);
  const shares: readonly (Share & { readonly what: string })[] = [
    { what: 'ours', amount: ours, glyph: '█' },
    { what: ours === 0 ? 'used' : 'others', amount: others, glyph: '▓' },
    { what: 'reserve', amount: kept, glyph: '▒' },
    { what: 'free', amount: free - kept, glyph: '░', meaning: 'quiet' },
  ];
  const legend = shares.flatMap(({ amount, glyph, what }) =>
    amount > 0 ? [unbroken(`${glyph} ${what} ${formatSize(amount)}`)] : [],
  );
  return [
    `${printable(path)}, ${formatSize(total)}`,
    bar(shares, Math.min(WIDEST_BAR, width)),
    ...wrapped(legend.join(`${unbroken(' ')} `), width),
  ];
}

/** Where generations share an image, removing one of them frees next to nothing. */
function renderShared({
  path,
  size,
  entries,
}: NonNullable<SeenEsp['sharedImages']>[number]): string {
  const numbers = entries.map((id) => /-generation-(\d+)-/.exec(id)?.[1] ?? id);
  const names = [...new Set(numbers)];
  const of = enumerated(names.map((name) => printable(name)));
  const who = names.length === 1 ? `generation ${of} is` : `generations ${of} are`;
  return `shared: ${formatSize(size)}, free once ${who} gone (${printable(path)})`;
}
