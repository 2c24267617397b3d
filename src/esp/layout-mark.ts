/** `loader/entries.srel`: the word that says who lays out the entries on a partition (BLS §Locations). */

/** The whole content of our mark, as bootctl writes it: Type #1 entries. */
export const LAYOUT_MARK = 'type1\n';
/** The word in it. */
export const LAYOUT = LAYOUT_MARK.trimEnd();

/** What a mark says: a word, or why it says nothing. */
export interface LayoutMark {
  /** Absent when it is empty, as after power lost in the middle of a rename, or damaged. */
  readonly layout?: string;
  readonly layoutDamage?: string;
}

/**
 * Reads a mark. What is left of ours after a flipped bit, zeros or a cut is damage, and so is what is no
 * text and no longer than ours. Any other word is another boot loader's own.
 */
export function parseLayoutMark(bytes: Uint8Array): LayoutMark {
  const text = new TextDecoder().decode(bytes);
  const word = text.trim();
  if (text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '') === LAYOUT) return { layout: LAYOUT };
  if (bytes.length === 0 || /^[ \t\r\n]*$/.test(text)) return {};
  const zeros = text.includes('\0') && LAYOUT_MARK.startsWith(text.replaceAll('\0', ''));
  // Damage leaves a file as long as it was, or cuts it: what is longer was never ours.
  const isShort = bytes.length <= LAYOUT_MARK.length;
  if (zeros || (isShort && /[\p{Cc}\ufffd]/u.test(word))) return { layoutDamage: 'it is no text' };
  if (LAYOUT.startsWith(text)) return { layoutDamage: `it is cut short: ${word}` };
  if (isOneBitAway(bytes)) return { layoutDamage: `a bit of it is flipped: ${word}` };
  return { layout: word };
}

function isOneBitAway(bytes: Uint8Array): boolean {
  const ours = new TextEncoder().encode(LAYOUT_MARK).subarray(0, Math.max(bytes.length, 5));
  if (bytes.length !== ours.length) return false;
  const differing = ours.reduce((sum, byte, at) => sum + ones(byte ^ (bytes[at] ?? 0)), 0);
  return differing === 1;
}

function ones(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
