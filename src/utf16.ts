/** Texts as firmware stores them: UTF-16, little-endian, with a NUL at their end. */

/** Returns the bytes of a text, with the NUL that ends it. */
export function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length + 1) * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index++) {
    view.setUint16(index * 2, text.charCodeAt(index), true);
  }
  return bytes;
}

/** Returns the text that bytes begin with, up to its NUL or to their end. */
export function utf16Text(bytes: Uint8Array): string {
  const [text = ''] = new TextDecoder('utf-16le').decode(bytes).split('\0', 1);
  return text;
}
