/** How a boot loader's own file says that it is systemd-boot, and of which version. */
import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { findSection, type Pe, parsePe, readSection } from '../pe/pe.ts';

/** What a file at a boot loader's place is. `machine` is the PE/COFF machine number. */
export type LoaderIdentity =
  | { readonly kind: 'systemd-boot'; readonly version: string; readonly machine: number }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed'; readonly because: string };

/** Loaders have some hundred KiB. What is larger is not systemd's, and nobody reads it whole: bytes. */
const MAX_LOADER = 16 * 1024 * 1024;
/** Both sections hold a few lines; a larger one is not systemd's: bytes. */
const MAX_SECTION = 4096;
const MARKER = /^#### LoaderInfo: ([^ ]+) (.+) ####$/;
/** Versions end in file listings and logs: nothing but what a version is made of, and not much of it. */
const VERSION = /^[A-Za-z0-9~\-^.+_]{1,64}$/;

/**
 * Tells what the file of a boot loader is, from its headers and one small section. A file that is cut
 * short is malformed, whatever it says about itself. The text of the marker stands elsewhere in some
 * loaders too, and in any file that somebody put it into, so only the sections count.
 */
export function loaderIdentity(source: ByteSource): LoaderIdentity {
  try {
    const pe = parsePe(source, 'boot loader');
    const version = markedVersion(source, pe);
    return version === undefined
      ? { kind: 'foreign' }
      : { kind: 'systemd-boot', version, machine: pe.machine };
  } catch (error) {
    if (error instanceof EspError && error.code === 'PE_MALFORMED') {
      return { kind: 'malformed', because: error.message };
    }
    throw error;
  }
}

function markedVersion(source: ByteSource, pe: Pe): string | undefined {
  if (source.size > MAX_LOADER) return undefined;
  const magic = sectionText(source, pe, '.sdmagic');
  // A marker of another product, such as the stub's, settles it; `.osrel` then speaks of a kernel.
  const version = magic === undefined ? releaseVersion(source, pe) : magicVersion(magic);
  return version !== undefined && VERSION.test(version) ? version : undefined;
}

function magicVersion(text: string): string | undefined {
  const [, product, version] = MARKER.exec(text) ?? [];
  return product === 'systemd-boot' ? version : undefined;
}

function releaseVersion(source: ByteSource, pe: Pe): string | undefined {
  const lines = parseLines(sectionText(source, pe, '.osrel') ?? '', '=');
  return lastValue(lines, 'ID') === 'systemd-boot' ? lastValue(lines, 'VERSION') : undefined;
}

/** The text of a small section up to its padding of NULs. */
function sectionText(source: ByteSource, pe: Pe, name: string): string | undefined {
  const section = findSection(pe, name);
  if (section === undefined || section.virtualSize > MAX_SECTION) return undefined;
  const text = new TextDecoder().decode(readSection(source, section, MAX_SECTION));
  return text.split('\0', 1)[0];
}
