/** SBAT: component generations, by which shim revokes programs. */
import { EspError } from '../error.ts';

const HEADER = 'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md';
const UKI = 'uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/';

const ADDON =
  'uki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html';

/** The default `.sbat` of a UKI. */
export const defaultSbat = new TextEncoder().encode(`${HEADER}\n${UKI}\n`);
/** The `.sbat` of an addon. */
export const addonSbat = new TextEncoder().encode(`${HEADER}\n${ADDON}\n`);

/**
 * Merges the `.sbat` contents of stub, kernel and user in this order. The version line comes first
 * and once, then every component line once. Content without a version line at its start is no SBAT
 * and adds nothing. Anything behind a NUL is padding.
 * @throws {PE_MALFORMED} when a text is not UTF-8
 */
export function mergeSbat(contents: readonly Uint8Array[]): Uint8Array {
  const components = new Set(contents.flatMap(componentLines));
  return new TextEncoder().encode(`${[HEADER, ...components].join('\n')}\n`);
}

function componentLines(content: Uint8Array): string[] {
  const [first, ...rest] = decode(content).split(/\r?\n|\r/);
  if (first === undefined || !first.startsWith('sbat,')) return [];
  return rest.filter((line) => line !== '' && line !== HEADER);
}

function decode(content: Uint8Array): string {
  const end = content.indexOf(0);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      end < 0 ? content : content.subarray(0, end),
    );
  } catch (cause) {
    throw new EspError('PE_MALFORMED', '.sbat: expected UTF-8 text, got other bytes', { cause });
  }
}
