/** Reads what an image must know of its kernel. */
import type { ByteSource } from '../byte-source.ts';
import { findSection, NX_COMPAT, parsePe, readSection } from '../pe/pe.ts';
import { kernelRelease } from './uname.ts';

/** Facts from the headers of a kernel. */
export interface KernelTraits {
  /** The output of `uname -r`, when the file contains it. */
  readonly release: string | undefined;
  /** Whether it runs when data cannot be executed. */
  readonly nxCompat: boolean;
  /** The content of its `.sbat`. */
  readonly sbat: Uint8Array | undefined;
}

const MAX_SBAT = 64 * 1024;

/**
 * Reads the facts about a kernel from its headers.
 * @throws {PE_MALFORMED} when it is no whole PE image, so systemd-stub could not start it
 * @throws {FILE_TOO_LARGE} when its `.sbat` is longer than 64 KiB
 */
export function kernelTraits(source: ByteSource, name = 'kernel'): KernelTraits {
  const pe = parsePe(source, name);
  const sbat = findSection(pe, '.sbat');
  return {
    release: kernelRelease(source),
    nxCompat: (pe.dllCharacteristics & NX_COMPAT) !== 0,
    sbat: sbat === undefined ? undefined : readSection(source, sbat, MAX_SBAT),
  };
}
