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

/** A failure that a person can act on: what failed, on what, expected and got, and one hint. */
export class EspError extends Error {
  override readonly name = 'EspError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
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
  return isKernels ? (/^[A-Z0-9]+: (.+?), \w+(?: '|$)/.exec(text)?.[1] ?? text) : text;
}
