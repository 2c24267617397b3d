/** What each exit status and each error code means, in the words of the reference. */
import {
  type ErrorCode,
  EspError,
  EXIT_BUG,
  EXIT_FAILED,
  EXIT_USAGE,
  EXIT_WARNINGS,
} from '../src/error.ts';

/** Exit statuses in order. */
export const EXIT_STATUSES: readonly (readonly [status: number, meaning: string])[] = [
  [0, 'Done, or nothing to do.'],
  [
    EXIT_FAILED,
    'Failed. The work is not finished; what boots is whole. For `verify`: what boots next, or every copy of the loader, is damaged.',
  ],
  [EXIT_USAGE, 'The command line, a setting or a key file is wrong. Nothing was touched.'],
  [
    new EspError('ESP_NOT_MOUNTED', '').status,
    'Refused: it could be done, and would harm. Nothing was touched.',
  ],
  [new EspError('ESP_FULL', '').status, 'Refused for lack of space. Nothing was touched.'],
  [EXIT_WARNINGS, 'Done, and something else needs a look. The target boots.'],
  [EXIT_BUG, 'A bug. The report with its stack is on standard error.'],
];

/** Every error code with its meaning; a code without one does not compile. */
export const ERROR_MEANINGS: Readonly<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'An option, a variable or the configuration file is wrong.',
  KEY_INVALID:
    'A key, a certificate or a signing document is missing, unreadable or of another key.',
  KEY_INSECURE: 'Others can read or replace the private key.',
  SOURCE_UNTRUSTED: 'What is to be signed lies on an ESP or another FAT, where anybody can put it.',
  FIRMWARE_ABSENT: 'This machine shows no EFI variables, or another system is named.',
  FIRMWARE_REFUSED: 'Firmware did not take a variable: it is full, read-only, or found it wrong.',
  NO_BOOTABLE_GENERATION: 'No generation can boot.',
  MIXED_ARCHITECTURES: 'Generations, kernel or stub are for different processors.',
  ESP_NOT_MOUNTED: 'No ESP is mounted there.',
  ESP_NOT_FAT: 'The file system there is not FAT.',
  ESP_READ_ONLY: 'The ESP is mounted read-only.',
  FOREIGN_LAYOUT: 'Something that is not ours stands where ours has to be.',
  UNIT_REFUSED: 'A unit cannot be confined, or the drop-in is not ours.',
  SECURE_BOOT_UNSIGNED: 'Secure Boot is on, and there is no key to sign with.',
  SECURE_BOOT_UNTRUSTED: 'Secure Boot is on, and the firmware does not know the certificate.',
  OPTION_ROMS_UNTRUSTED: 'With these keys firmware would not start the option ROMs of cards.',
  KEYS_EXIST: 'There are keys already; they are never replaced.',
  SIGNATURE_MISSING: 'The file of signatures lacks one that is needed.',
  FAT_REPLACE:
    'A file outside our ESP transaction lies on FAT, which cannot replace it as a whole.',
  VARIABLES_MALFORMED: 'A file of EFI variables is damaged, or is none.',
  TREE_MALFORMED: 'A tar file is damaged, or a file of an image cannot be as it is declared.',
  DISK_IMAGE_MALFORMED: 'A disk image is damaged, or no disk image.',
  TOOL_MISSING:
    'A program that makes file systems is not there, or too old for what is asked of it.',
  TOOL_FAILED: 'A program that makes file systems failed. Its last messages are in the error.',
  IMAGE_BUSY: 'The image is attached to a loop device: what is mounted there would be overwritten.',
  VERITY_ABSENT: 'No partition here has the root hash that the system wants.',
  IMAGE_MISMATCH: 'An image that is to boot a disk names another root hash than the disk has.',
  IMAGE_EXISTS: 'The output is there already, and nobody said that it may be replaced.',
  ESP_FULL: 'The ESP has no room for what must be on it.',
  IMAGE_FULL: 'What an image shall hold does not fit into it, or the image where it is made.',
  UNFINISHED: 'The run stopped on its way. What boots is whole.',
  TARGET_BROKEN: 'The system that is to boot next is missing or broken.',
  BOOTSPEC_MALFORMED: 'A `boot.json` does not say what RFC 0125 asks for.',
  BOOTSPEC_UNSUPPORTED: 'A `boot.json` is of a version or for a system that is not known.',
  GENERATION_BROKEN: 'A generation leads to nothing, or lacks a file that it needs.',
  INITRD_SECRETS_FAILED: 'The program that adds secrets to an initrd failed.',
  DRACUT_FAILED: 'dracut made no initrd.',
  FILE_MISSING: 'A file that is needed is not there.',
  FILE_TOO_LARGE: 'A file is larger than what it may be here.',
  PE_MALFORMED: 'A file is no EFI program, or a damaged one.',
  ELF_MALFORMED: 'A file is no ELF program, or a damaged one.',
  SIGNATURE_MALFORMED: 'A signature, or a list of keys, cannot be read.',
  VERITY_MALFORMED: 'A hash area, a partition table or a root hash is damaged or does not match.',
  FAT_MALFORMED: 'A FAT in an image is damaged or in use. Nothing in it was changed.',
  SIGNER_FAILED: 'The key or the signing command made no valid signature.',
  SHORT_WRITE: 'The kernel wrote less than was asked for.',
  READ_BACK_MISMATCH: 'What was written reads back as something else.',
  SOURCE_CHANGED: 'A file changed while it was read.',
  LOCKED: 'Another run is at work on the same ESP, and the wait is over.',
  IO: 'A system call or a helper program failed.',
};
