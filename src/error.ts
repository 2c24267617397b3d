/** What can go wrong, as codes, and the one table that maps each code to an exit status. */

/** How a failure leaves the ESP, which is what the exit status tells the caller. */
type Family = 'failed' | 'usage' | 'refused' | 'space';

/** Every code an {@link EspError} may carry, with its family. */
const families = {
  // usage: the command line, a setting or a key file is wrong; nothing was touched
  CONFIG_INVALID: 'usage',
  KEY_INVALID: 'usage',
  KEY_INSECURE: 'usage',
  // refused: we could, and chose not to; nothing was touched
  NO_BOOTABLE_GENERATION: 'refused',
  MIXED_ARCHITECTURES: 'refused',
  ESP_NOT_MOUNTED: 'refused',
  ESP_NOT_FAT: 'refused',
  ESP_READ_ONLY: 'refused',
  FOREIGN_LAYOUT: 'refused',
  UNIT_REFUSED: 'refused',
  SECURE_BOOT_UNSIGNED: 'refused',
  SECURE_BOOT_UNTRUSTED: 'refused',
  OPTION_ROMS_UNTRUSTED: 'refused',
  KEYS_EXIST: 'refused',
  SIGNATURE_MISSING: 'refused',
  FAT_REPLACE: 'refused',
  IMAGE_BUSY: 'refused',
  SOURCE_UNTRUSTED: 'refused',
  FIRMWARE_ABSENT: 'refused',
  VERITY_ABSENT: 'refused',
  IMAGE_MISMATCH: 'refused',
  IMAGE_EXISTS: 'refused',
  // space
  ESP_FULL: 'space',
  IMAGE_FULL: 'space',
  // failed: an effect did not happen, or what we were given cannot be read
  UNFINISHED: 'failed',
  TARGET_BROKEN: 'failed',
  BOOTSPEC_MALFORMED: 'failed',
  BOOTSPEC_UNSUPPORTED: 'failed',
  GENERATION_BROKEN: 'failed',
  INITRD_SECRETS_FAILED: 'failed',
  DRACUT_FAILED: 'failed',
  FILE_MISSING: 'failed',
  FILE_TOO_LARGE: 'failed',
  PE_MALFORMED: 'failed',
  ELF_MALFORMED: 'failed',
  SIGNATURE_MALFORMED: 'failed',
  VARIABLES_MALFORMED: 'failed',
  VERITY_MALFORMED: 'failed',
  TREE_MALFORMED: 'failed',
  DISK_IMAGE_MALFORMED: 'failed',
  TOOL_MISSING: 'failed',
  TOOL_FAILED: 'failed',
  FAT_MALFORMED: 'failed',
  SIGNER_FAILED: 'failed',
  FIRMWARE_REFUSED: 'failed',
  SHORT_WRITE: 'failed',
  READ_BACK_MISMATCH: 'failed',
  SOURCE_CHANGED: 'failed',
  LOCKED: 'failed',
  IO: 'failed',
} as const satisfies Record<string, Family>;

/** A stable, documented name for one kind of failure. */
export type ErrorCode = keyof typeof families;

/** Every code, in the order of their families. */
export const ERROR_CODES = Object.keys(families) as readonly ErrorCode[];

/** Exit status when an effect did not happen: the ESP is safe and the work unfinished. */
export const EXIT_FAILED = 1;
/** Exit status for a wrong command line, setting or key file. */
export const EXIT_USAGE = 2;
const statuses: Record<Family, number> = {
  failed: EXIT_FAILED,
  usage: EXIT_USAGE,
  refused: 3,
  space: 4,
};

/** Exit status when the work is done and something else needs a look. */
export const EXIT_WARNINGS = 5;
/** Exit status for an error that is not an {@link EspError}: a bug. */
export const EXIT_BUG = 70;

/**
 * What to do where whoever threw an error knew nothing better. Of a wrong command line or setting the help of
 * the verb is the next step, and `command/` says so.
 */
const HINTS: Readonly<Record<Exclude<ErrorCode, 'CONFIG_INVALID'>, string>> = {
  KEY_INVALID: 'name the right file; `espalier keys status` shows which keys there are',
  KEY_INSECURE: 'keep it where only root can read and replace it',
  NO_BOOTABLE_GENERATION: 'build a system, or name the directory of its profiles with --profiles',
  MIXED_ARCHITECTURES: 'name the system of this machine with --system, as x86_64-linux',
  ESP_NOT_MOUNTED: 'mount it, or name where it is mounted with --esp',
  ESP_NOT_FAT: 'name the mount point of the ESP with --esp',
  ESP_READ_ONLY: 'look at dmesg, run fsck.fat on it, and mount it for writing',
  FOREIGN_LAYOUT: 'look at what it is, and move it away',
  UNIT_REFUSED: 'change the unit, or leave the service unconfined',
  SECURE_BOOT_UNSIGNED: 'give --certificate and --private-key',
  SECURE_BOOT_UNTRUSTED: '`espalier keys status` shows which certificates firmware knows',
  OPTION_ROMS_UNTRUSTED: 'give the certificates of Microsoft with --microsoft',
  KEYS_EXIST: 'use these, or name another directory',
  SIGNATURE_MISSING: 'ask for it with `espalier plan --signing-request`',
  FAT_REPLACE: 'write it under a new name, or to another file system',
  IMAGE_BUSY: 'unmount what is mounted from it, and detach it with losetup --detach',
  SOURCE_UNTRUSTED: 'copy it to a file system that nobody else writes to, and name it there',
  FIRMWARE_ABSENT: 'start this machine by EFI, and mount efivarfs',
  VERITY_ABSENT: 'rebuild the system with the partitions that are here',
  IMAGE_MISMATCH: 'build both anew, from one set of file systems',
  IMAGE_EXISTS: 'name another output, or replace it with --force',
  ESP_FULL: 'list what holds the space with `espalier list`, free it with `espalier gc`',
  IMAGE_FULL: 'give it more room, or put less into it',
  UNFINISHED: 'correct what is named here, and run it again',
  TARGET_BROKEN: 'rebuild that system, or install another one by its number',
  BOOTSPEC_MALFORMED: 'rebuild that system, or delete its generation',
  BOOTSPEC_UNSUPPORTED: 'update this program, or delete that generation if it is old',
  GENERATION_BROKEN: 'rebuild that system, or delete its generation',
  INITRD_SECRETS_FAILED: 'run that program by hand on a copy of the initrd',
  DRACUT_FAILED: 'run dracut by hand with the same options',
  FILE_MISSING: 'look at how the path is spelt, and at what lies there',
  FILE_TOO_LARGE: 'look whether it is the file that was meant',
  PE_MALFORMED: 'look whether it is the file that was meant, and whole: copy or build it anew',
  ELF_MALFORMED: 'look whether it is the file that was meant, and whole: install it anew',
  SIGNATURE_MALFORMED: 'copy the file again from where it was made, or sign it anew',
  VARIABLES_MALFORMED: 'take a file of variables that belongs to the firmware, as OVMF_VARS_4M.fd',
  VERITY_MALFORMED:
    'look whether data, hash area and root hash belong together; make them anew if not',
  TREE_MALFORMED: 'correct the file where it is made, or leave it out',
  DISK_IMAGE_MALFORMED: 'copy or make the image anew',
  TOOL_MISSING: 'install it',
  TOOL_FAILED:
    'its own messages say why; look at the room that is left, in its directory for temporary files too',
  FAT_MALFORMED: 'check it with fsck.fat, and mend it there',
  SIGNER_FAILED:
    'look whether the key is the one of the certificate, and what the signing command says',
  FIRMWARE_REFUSED: 'set it in the menu of firmware',
  SHORT_WRITE: 'look at the room that is left and at dmesg, and run it again',
  READ_BACK_MISMATCH: 'the disk may be failing: look at dmesg, and run it again',
  SOURCE_CHANGED: 'run it again when nothing writes to it any more',
  LOCKED: 'wait for the other run, and run it again',
  IO: 'look at dmesg and at the room that is left, and run it again',
};

/** A failure that a person can act on: what failed, on what, expected and got, and one hint. */
export class EspError extends Error {
  override readonly name = 'EspError';
  readonly code: ErrorCode;
  /** One thing to do, as whoever threw the error knew it. */
  readonly ownHint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.ownHint = options.hint;
  }

  /** One thing to do. Undefined only of what the help of the verb says. */
  get hint(): string | undefined {
    return this.ownHint ?? (this.code === 'CONFIG_INVALID' ? undefined : HINTS[this.code]);
  }

  /** The process exit status that stands for this failure. */
  get status(): number {
    return statuses[families[this.code]];
  }
}

/** Returns the messages of an error and of its causes on one line. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = becauseOf(error.cause);
  const because = cause === '' || isSaid(error) ? '' : `: because ${cause}`;
  return `${error.message.replaceAll('\n', '\\n')}${because}`;
}

/** Whether the kernel's words say no more than the message: that nothing is there. */
function isSaid({ code, cause }: Error & { code?: unknown }): boolean {
  return (
    code === 'FILE_MISSING' && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
  );
}

/** Of what the kernel said, the words alone: its number and the path stand in the message before them. */
function becauseOf(cause: unknown): string {
  if (cause === undefined) return '';
  const text = explain(cause);
  const isKernels = cause instanceof Error && 'syscall' in cause;
  // Of a program or a process the kernel's words are the call and the number alone.
  if (isKernels && /^(spawn\w*|kill) /.test(text)) return '';
  return isKernels ? (/^[A-Z0-9]+: (.+?), \w+(?: '|$)/.exec(text)?.[1] ?? text) : text;
}
