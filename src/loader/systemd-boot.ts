/** Reads from a boot loader's file whether it is systemd-boot, and which version. */
import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { findSection, type Pe, parsePe, readSection } from '../pe/pe.ts';
import { startFault } from '../pe/program.ts';
import { compareVersions } from '../version.ts';

/** What a file in a boot loader's place is. `machine` is the PE/COFF machine number. */
export type LoaderIdentity =
  | { readonly kind: 'systemd-boot'; readonly version: string; readonly machine: number }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed'; readonly because: string };

/** The first that reads a partition table in the disk's own sectors. */
const ANY_SECTORS = '261';

/**
 * Returns why a systemd-boot finds no XBOOTLDR partition on a disk with sectors of so many bytes; undefined
 * where it does. Before 261 it reads 512 bytes at once, which firmware refuses where a sector is larger.
 */
export function xbootldrFault(version: string, sectorSize: number): string | undefined {
  if (sectorSize === 512 || compareVersions(version, ANY_SECTORS) >= 0) return undefined;
  return `systemd-boot ${version} finds no XBOOTLDR partition on a disk with sectors of ${sectorSize} bytes: expected ${ANY_SECTORS} or later`;
}

/**
 * In bytes. Loaders have some hundred KiB. A larger file is not systemd's and is not read whole.
 */
const MAX_LOADER = 16 * 1024 * 1024;
/** In bytes. Both sections hold a few lines. A larger section is not systemd's. */
const MAX_SECTION = 4096;
const MARKER = /^#### LoaderInfo: ([^ ]+) (.+) ####$/;
/** Versions appear in listings and logs, so only characters of a version pass, and few of them. */
const VERSION = /^[A-Za-z0-9~\-^.+_]{1,64}$/;

/**
 * Returns what the file of a boot loader is, from its headers and one small section. A truncated
 * file is malformed, whatever it says, and so is a systemd-boot that firmware would not start. Only the sections count: other loaders and forged files
 * contain the text of the marker elsewhere.
 */
export function loaderIdentity(source: ByteSource): LoaderIdentity {
  try {
    const pe = parsePe(source, 'boot loader');
    const version = markedVersion(source, pe);
    if (version === undefined) return { kind: 'foreign' };
    const fault = startFault(pe, pe.machine);
    return fault === undefined
      ? { kind: 'systemd-boot', version, machine: pe.machine }
      : { kind: 'malformed', because: fault };
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
  // A marker of another product, such as the stub, decides: `.osrel` then describes a kernel.
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

/** Returns the text of a small section without its padding of NULs. */
function sectionText(source: ByteSource, pe: Pe, name: string): string | undefined {
  const section = findSection(pe, name);
  if (section === undefined || section.virtualSize > MAX_SECTION) return undefined;
  const text = new TextDecoder().decode(readSection(source, section, MAX_SECTION));
  return text.split('\0', 1)[0];
}
