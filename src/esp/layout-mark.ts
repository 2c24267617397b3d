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

/** What is wrong with a mark that is too long for one, or has several words. */
export const NO_WORD = 'it is not the one word that says who lays out the entries';
/** What a boot loader may call its layout. */
const WORD = /^[\w.+-]{1,64}$/;

/**
 * Reads a mark. What is left of ours after a flipped bit, zeros or a cut is damage, and so is what is no
 * word: the content of another file, say. Any other word is another boot loader's own.
 */
export function parseLayoutMark(bytes: Uint8Array): LayoutMark {
  const text = new TextDecoder().decode(bytes);
  const word = text.trim();
  if (text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '') === LAYOUT) return { layout: LAYOUT };
  if (bytes.length === 0 || /^[ \t\r\n]*$/.test(text)) return {};
  const zeros = text.includes('\0') && LAYOUT_MARK.startsWith(text.replaceAll('\0', ''));
  if (zeros || /[^\P{Cc}\s]|\ufffd/u.test(word)) return { layoutDamage: 'it is no text' };
  if (LAYOUT.startsWith(text)) return { layoutDamage: `it is cut short: ${word}` };
  if (isOneBitAway(bytes)) return { layoutDamage: `a bit of it is flipped: ${word}` };
  return WORD.test(word) ? { layout: word } : { layoutDamage: NO_WORD };
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
