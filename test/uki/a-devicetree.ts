/** Device trees for tests: the header of one, and any text behind it. */

/**
 * Returns the bytes of a device tree (Devicetree Specification §5.2).
 * @param total what it says of its size in bytes
 */
export function aDevicetree(text = 'board', total?: number): Uint8Array {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(40 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xd00dfeed);
  view.setUint32(4, total ?? bytes.length);
  bytes.set(body, 40);
  return bytes;
}
