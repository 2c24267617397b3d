/** Writes EFI variables as efivarfs wants it: each in one call, and none that is equal already. */
import { type Context, isElsewhere } from '../context.ts';
import { EspError } from '../error.ts';
import { errno } from '../io-error.ts';
import {
  ATTRIBUTES,
  EFI_VARIABLES,
  LOADER,
  MAX_VARIABLE,
  readVariable,
} from '../loader/efi-variables.ts';
import { GLOBAL_VARIABLE } from '../secureboot/key-variable.ts';

/** Whose a variable is: firmware's own (UEFI §3.3), or the boot loader's. */
export type Vendor = 'global' | 'loader';

const VENDORS: Readonly<Record<Vendor, string>> = { global: GLOBAL_VARIABLE, loader: LOADER };

/** The variables of this machine. */
export interface Variables {
  readonly directory: string;
  readonly context: Context;
}

/** Non-volatile, for boot services and for the system (UEFI §8.2). */
const LASTING = 7;
/** The magic number that statfs(2) reports of efivarfs. */
const EFIVARFS = 0xde5e81e4;

/**
 * Opens the variables of the machine that runs.
 * @throws {FIRMWARE_ABSENT} when another system is named, or the machine shows none
 */
export function openVariables(context: Context): Variables {
  const { disk, environment } = context;
  const named = environment['ESPALIER_EFIVARS'];
  if (named === undefined && isElsewhere(context)) {
    throw new EspError(
      'FIRMWARE_ABSENT',
      'EFI variables are those of the machine that runs, not of --root',
      {
        hint: 'start that system, and do it there',
      },
    );
  }
  const directory = named ?? EFI_VARIABLES;
  if (disk.list(directory)?.length) return { directory, context };
  throw new EspError('FIRMWARE_ABSENT', `${directory}: there are no EFI variables`, {
    hint: 'this machine was not started by EFI, or efivarfs is not mounted: mount -t efivarfs efivarfs /sys/firmware/efi/efivars',
  });
}

/** Returns the value of a variable without its attributes. */
export function getVariable(
  { directory, context }: Variables,
  vendor: Vendor,
  name: string,
): Uint8Array | undefined {
  return readVariable(context.disk, pathOf(directory, vendor, name), MAX_VARIABLE);
}

/** Returns the names of firmware's own variables. */
export function namesOf({ directory, context }: Variables): readonly string[] {
  const suffix = `-${GLOBAL_VARIABLE}`;
  return (context.disk.list(directory) ?? []).flatMap(({ name }) =>
    name.endsWith(suffix) ? name.slice(0, -suffix.length) : [],
  );
}

/**
 * Sets a variable, unless it is equal already: the memory of firmware wears out.
 * @returns whether it was written
 * @throws {FIRMWARE_REFUSED}
 */
export function setVariable(
  variables: Variables,
  vendor: Vendor,
  name: string,
  value: Uint8Array,
): boolean {
  const before = getVariable(variables, vendor, name);
  if (before && Buffer.compare(before, value) === 0) return false;
  const path = pathOf(variables.directory, vendor, name);
  const bytes = Buffer.alloc(ATTRIBUTES + value.length);
  bytes.writeUInt32LE(LASTING, 0);
  bytes.set(value, ATTRIBUTES);
  changing(variables, name, path, () => writeWhole(variables, path, bytes));
  const after = getVariable(variables, vendor, name);
  if (after && Buffer.compare(after, value) === 0) return true;
  throw new EspError('FIRMWARE_REFUSED', `${name}: firmware took it and holds another value`, {
    hint: 'some firmware keeps such variables for itself: set it in its own menu',
  });
}

/**
 * Removes a variable; one that is not there is no error.
 * @returns whether it was there
 * @throws {FIRMWARE_REFUSED}
 */
export function removeVariable(variables: Variables, vendor: Vendor, name: string): boolean {
  const { directory, context } = variables;
  const path = pathOf(directory, vendor, name);
  if (context.disk.linkStat(path) === undefined) return false;
  // SAFETY: firmware removes a variable as a whole or not at all, and without one it goes on to what is
  // next in its order, or to the fallback path.
  changing(variables, name, path, () => context.disk.remove(path));
  return true;
}

function pathOf(directory: string, vendor: Vendor, name: string): string {
  return `${directory}/${name}-${VENDORS[vendor]}`;
}

/** efivarfs makes a variable of one write. What firmware refuses leaves an empty file behind. */
function writeWhole({ context, directory }: Variables, path: string, bytes: Uint8Array): void {
  const { disk, machine } = context;
  const hostPath = disk.hostPath(path) ?? path;
  try {
    using file = machine.openRaw(hostPath, 'write');
    // SAFETY: firmware replaces a variable as a whole: it boots by the old value or by the new one.
    file.writeAt(0, bytes);
    // A directory that stands in for efivarfs keeps the end of a longer value.
    if (disk.fileSystem(directory)?.type !== EFIVARFS) file.cut(bytes.length);
  } catch (error) {
    // SAFETY: an empty file is no variable: firmware never saw it.
    if (disk.stat(path)?.size === 0) disk.remove(path);
    throw error;
  }
}

/** The kernel protects variables that it does not know (chattr(1) `i`): that is taken off for the change. */
function changing(variables: Variables, name: string, path: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    if (causeOf(error) !== 'EPERM' || !protect(variables, '-i', path))
      throw refused(name, path, error);
    try {
      change();
    } catch (again) {
      throw refused(name, path, again);
    } finally {
      protect(variables, '+i', path);
    }
  }
}

/** In milliseconds. */
const PATIENCE = 10_000;

/** Runs chattr, which has the system call that Node lacks. */
function protect({ context }: Variables, flag: string, path: string): boolean {
  const { machine, environment, disk } = context;
  const chattr = machine.findProgram('chattr', environment);
  if (chattr === undefined || disk.linkStat(path) === undefined) return false;
  const argv = [chattr, flag, disk.hostPath(path) ?? path];
  const { status } = machine.ask({ argv, timeout: PATIENCE, limit: 4096, messages: 'kept' });
  return status === 0;
}

function causeOf(error: unknown): string | undefined {
  return error instanceof EspError ? causeOf(error.cause) : errno(error);
}

const FAULTS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: [
    'the memory of firmware for variables (NVRAM) is full',
    'remove what is not needed, as old boot entries: espalier firmware list; some firmware makes room only after a restart',
  ],
  EROFS: [
    'the variables are read-only',
    'mount -o remount,rw /sys/firmware/efi/efivars; some firmware takes no writes from a running system',
  ],
  EPERM: ['the kernel protects it', 'take that off as root with `chattr -i`, which e2fsprogs has'],
  EACCES: ['this user may not write it', 'run as root'],
  EIO: ['firmware refused it', 'set it in the menu of firmware'],
  EINVAL: ['firmware refused it', 'set it in the menu of firmware'],
};

function refused(name: string, path: string, error: unknown): EspError {
  const [what, hint] = FAULTS[causeOf(error) ?? ''] ?? ['it could not be written', undefined];
  if (!(error instanceof EspError)) throw error;
  return new EspError('FIRMWARE_REFUSED', `EFI variable ${name} (${path}): ${what}`, {
    cause: error,
    hint,
  });
}
