/** Reads what an image must know of its kernel. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { findSection, NX_COMPAT, parsePe, readSection } from '../pe/pe.ts';
import { otherProcessor, startFault } from '../pe/program.ts';
import { kernelRelease, setupCmdlineSize } from './uname.ts';

/** Facts from the headers of a kernel. */
export interface KernelTraits {
  /** The output of `uname -r`, when the file contains it. */
  readonly release: string | undefined;
  /** Whether it runs when data cannot be executed. */
  readonly nxCompat: boolean;
  /** The content of its `.sbat`. */
  readonly sbat: Uint8Array | undefined;
  /** PE/COFF machine number. */
  readonly machine: number;
  /** Why firmware of its own processor would not start it; undefined when it would. */
  readonly fault: string | undefined;
  /** The longest command line that it takes, in bytes; what is beyond is cut off. */
  readonly cmdlineLimit: number;
}

/** COMMAND_LINE_SIZE of Linux by PE/COFF machine, less the NUL that ends the text. Bytes. */
const CMDLINE_LIMITS: Readonly<Record<number, number>> = {
  43620: 2047,
  450: 1023,
  20580: 1023,
  20530: 1023,
  25188: 4095,
};
const DEFAULT_LIMIT = 2047;

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
    machine: pe.machine,
    fault: startFault(pe, pe.machine),
    cmdlineLimit: setupCmdlineSize(source) ?? CMDLINE_LIMITS[pe.machine] ?? DEFAULT_LIMIT,
    nxCompat: (pe.dllCharacteristics & NX_COMPAT) !== 0,
    sbat: sbat === undefined ? undefined : readSection(source, sbat, MAX_SBAT),
  };
}

/**
 * Requires that firmware of a processor starts a kernel.
 * @param machine PE/COFF machine number
 * @throws {GENERATION_BROKEN}
 */
export function requireStarts(
  kernel: Pick<KernelTraits, 'machine' | 'fault'>,
  machine: number,
  path: string,
): void {
  const fault = otherProcessor(kernel.machine, machine) ?? kernel.fault;
  if (fault === undefined) return;
  throw new EspError('GENERATION_BROKEN', `${path}: ${fault}`, {
    hint: 'rebuild the system for this processor, with a kernel that firmware starts',
  });
}

/**
 * Requires that a kernel takes a command line whole: what stands at its end, as a root hash, would be lost.
 * @param length bytes of its own, and what addons add to it
 * @throws {GENERATION_BROKEN}
 */
export function requireCmdlineFits(
  { own, added = 0 }: { readonly own: number; readonly added?: number },
  limit: number,
  path: string,
): void {
  if (own + added <= limit) return;
  const more = added > 0 ? `, ${added} of them from addons` : '';
  throw new EspError(
    'GENERATION_BROKEN',
    `its command line has ${own + added} bytes${more}, and ${path} takes at most ${limit} and cuts off the rest`,
    {
      hint: `shorten boot.kernelParams, or /etc/kernel/cmdline where that is none${added > 0 ? ', or the cmdline of [addons]' : ''}`,
    },
  );
}
