/** Reads the EFI variables by which firmware and systemd-boot report what they did and will do. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { GLOBAL_VARIABLE, type KeyVariable, vendorOf } from '../secureboot/key-variable.ts';
import {
  type BootOption,
  bootVariableName,
  parseBootOption,
  parseBootOrder,
} from './boot-option.ts';

/** Variables of systemd's boot loader interface that hold a text. */
export const LOADER_VARIABLES = [
  'LoaderBootCountPath',
  'LoaderDevicePartUUID',
  'LoaderEntryDefault',
  'LoaderEntryOneShot',
  'LoaderEntryPreferred',
  'LoaderEntrySelected',
  'LoaderImageIdentifier',
  'LoaderInfo',
] as const;

export type LoaderVariable = (typeof LOADER_VARIABLES)[number];

/** Linux shows the variables here. */
export const EFI_VARIABLES = '/sys/firmware/efi/efivars';

const SHIM = '605dab50-e046-4300-abb6-3dd810dd8b23';
/** The vendor of systemd’s boot loader interface. */
export const LOADER = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
/** In bytes. efivarfs puts the attributes before the value. */
export const ATTRIBUTES = 4;
/** In bytes. Even the keys and digests of many vendors take far less. */
export const MAX_VARIABLE = 8192;
const MAX_KEYS = 1024 * 1024;

/** Returns whether firmware enforces Secure Boot, or undefined when it does not say. */
export function secureBoot(disk: Disk, directory: string): boolean | undefined {
  return truth(disk, directory, 'SecureBoot');
}

/**
 * Returns whether firmware accepts unsigned keys (Setup Mode), or undefined when it does not say.
 */
export function setupMode(disk: Disk, directory: string): boolean | undefined {
  return truth(disk, directory, 'SetupMode');
}

function truth(disk: Disk, directory: string, name: string): boolean | undefined {
  const value = readVariable(disk, `${directory}/${name}-${GLOBAL_VARIABLE}`, MAX_VARIABLE);
  return value?.length === 1 ? value[0] === 1 : undefined;
}

/** Returns whether shim was started, which has its own keys besides firmware's. */
export function hasShim(disk: Disk, directory: string): boolean {
  return disk.stat(`${directory}/MokListRT-${SHIM}`) !== undefined;
}

/** Returns the signature lists in a key variable, or undefined when the variable is absent. */
export function keyVariable(
  disk: Disk,
  directory: string,
  name: KeyVariable,
): Uint8Array | undefined {
  return readVariable(disk, `${directory}/${name}-${vendorOf(name)}`, MAX_KEYS);
}

/** Returns the signature lists of what firmware refuses to start, or undefined when there are none. */
export function forbiddenVariable(disk: Disk, directory: string): Uint8Array | undefined {
  return readVariable(disk, `${directory}/dbx-${vendorOf('dbx')}`, MAX_KEYS);
}

/**
 * Returns the text of one of systemd-boot's variables, or undefined when it is absent, empty or no
 * text. Entries are named with their suffix and without their boot counter. LoaderBootCountPath and
 * LoaderImageIdentifier are paths of files, with backslashes; the first with its counter.
 */
export function loaderVariable(
  disk: Disk,
  directory: string,
  name: LoaderVariable,
): string | undefined {
  const value = readVariable(disk, `${directory}/${name}-${LOADER}`, MAX_VARIABLE);
  return value === undefined ? undefined : decodeText(value);
}

/**
 * Returns the boot entries of firmware in the order in which it tries them, or undefined when it does
 * not say. What cannot be read starts nothing.
 */
export function bootOptions(disk: Disk, directory: string): readonly BootOption[] | undefined {
  const variable = (name: string) =>
    readVariable(disk, `${directory}/${name}-${GLOBAL_VARIABLE}`, MAX_VARIABLE);
  const order = variable('BootOrder');
  return (
    order &&
    parseBootOrder(order).flatMap((number) => {
      const option = variable(bootVariableName(number));
      return (option && parseBootOption(option)) ?? [];
    })
  );
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

/** Returns the value without its attributes, or undefined when it is absent or cannot be read. */
export function readVariable(disk: Disk, path: string, limit: number): Uint8Array | undefined {
  try {
    if (disk.stat(path)?.kind !== 'file') return undefined;
    const bytes = disk.read(path, limit);
    return bytes.length > ATTRIBUTES ? bytes.subarray(ATTRIBUTES) : undefined;
  } catch (error) {
    // Firmware that cannot read its own variable (EIO is common) counts as one without it.
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
