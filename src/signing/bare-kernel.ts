/** Kernels that start by themselves, with whatever initrd and command line they are given. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { findSection, parsePe } from '../pe/pe.ts';

/** Where each kind of kernel says what it is (Linux x86 boot protocol, arm64 booting, zboot header). */
const MARKS = [
  { at: 0x202, mark: 'HdrS' },
  { at: 0x38, mark: 'ARM\x64' },
  { at: 0x38, mark: 'RSC\x05' },
  { at: 4, mark: 'zimg' },
] as const;

/** Tells whether a program is a bare kernel; an image with one inside is none. */
export function isBareKernel(source: ByteSource): boolean {
  const isMarked = MARKS.some(
    ({ at, mark }) => Buffer.from(source.read(at, mark.length)).toString('latin1') === mark,
  );
  return isMarked && !hasKernelInside(source);
}

function hasKernelInside(source: ByteSource): boolean {
  try {
    return findSection(parsePe(source), '.linux') !== undefined;
  } catch (error) {
    if (error instanceof EspError) return false;
    throw error;
  }
}
