/** The kernel inside an image, where an old stub has the firmware start it, and measure it as a program. */
import type { ByteSource } from '../byte-source.ts';
import { contentRange, findSection, type Pe, readSection, type Section } from '../pe/pe.ts';

/** Stubs from this version on start the kernel without the firmware. */
const STARTS_ALONE = 258;
/** In bytes. */
const MAX_MARKER = 4096;
const MARKER = /^#### LoaderInfo: systemd-stub (\d+)/;

/**
 * Returns the kernel of an image whose stub leaves it to the firmware to start. With Secure Boot, such
 * a stub hands it to the firmware in a way that does not measure it.
 */
export function kernelForFirmware(
  source: ByteSource,
  pe: Pe,
  linux: Section | undefined,
): ByteSource | undefined {
  const marker = findSection(pe, '.sdmagic');
  if (linux === undefined || marker === undefined || marker.virtualSize > MAX_MARKER) return;
  const [, major] =
    MARKER.exec(new TextDecoder().decode(readSection(source, marker, MAX_MARKER))) ?? [];
  if (major === undefined || Number(major) >= STARTS_ALONE) return undefined;
  const { offset, size } = contentRange(linux);
  return {
    size,
    read: (at, length) => source.read(offset + at, Math.max(0, Math.min(length, size - at))),
  };
}
