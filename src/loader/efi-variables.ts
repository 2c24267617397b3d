/** The EFI variables through which firmware and systemd-boot tell what they did and will do. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** Variables of systemd's boot loader interface that hold one text. */
export type LoaderVariable =
  | 'LoaderBootCountPath'
  | 'LoaderEntryDefault'
  | 'LoaderEntryOneShot'
  | 'LoaderEntryPreferred'
  | 'LoaderEntrySelected'
  | 'LoaderInfo';

/** Where Linux shows the variables. */
export const EFI_VARIABLES = '/sys/firmware/efi/efivars';

const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const LOADER = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
/** What efivarfs puts before the value: bytes. */
const ATTRIBUTES = 4;
/** Many times what any of these variables holds: bytes. */
const MAX_VARIABLE = 8192;

/** Tells whether firmware enforces Secure Boot, or undefined when it does not say. */
export function secureBoot(disk: Disk, directory: string): boolean | undefined {
  const value = readVariable(disk, `${directory}/SecureBoot-${GLOBAL}`);
  return value?.length === 1 ? value[0] === 1 : undefined;
}

/**
 * Returns the text of one of systemd-boot's variables, or undefined when it is absent, empty or no
 * text. Entries are named with their suffix and without their boot counter.
 */
export function loaderVariable(
  disk: Disk,
  directory: string,
  name: LoaderVariable,
): string | undefined {
  const value = readVariable(disk, `${directory}/${name}-${LOADER}`);
  return value === undefined ? undefined : decodeText(value);
}

/** Text in UTF-16LE up to its terminating NUL; what is no text names nothing. */
function decodeText(value: Uint8Array): string | undefined {
  try {
    const [text = ''] = new TextDecoder('utf-16le', { fatal: true }).decode(value).split('\0', 1);
    return text === '' || /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The value without its attributes. */
function readVariable(disk: Disk, path: string): Uint8Array | undefined {
  try {
    if (disk.stat(path)?.kind !== 'file') return undefined;
    const bytes = disk.read(path, MAX_VARIABLE);
    return bytes.length > ATTRIBUTES ? bytes.subarray(ATTRIBUTES) : undefined;
  } catch (error) {
    // Firmware that fails to read its own variable (EIO is common) says no more than one without it.
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
