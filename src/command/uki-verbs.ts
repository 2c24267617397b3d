/** The verbs of Unified Kernel Images and of file systems behind dm-verity, made by hand. */
import { MEASURE_OPTIONS } from '../settings/measure-options.ts';
import type { Option } from '../settings/option.ts';
import {
  UKI_BUILD_OPTIONS,
  UKI_INSPECT_OPTIONS,
  UKI_VERIFY_OPTIONS,
} from '../settings/uki-options.ts';
import {
  VERITY_DUMP_OPTIONS,
  VERITY_FORMAT_OPTIONS,
  VERITY_SIGN_OPTIONS,
  VERITY_VERIFY_OPTIONS,
} from '../settings/verity-options.ts';
import type { Operand, VerbDeclaration } from './verb.ts';

const DATA: Operand = { syntax: '<DATA>', help: 'file or block device with the data' };
const HASH: Operand = {
  syntax: '<HASH>',
  help: 'file or block device with the hash area; the same as DATA with --hash-offset',
};

const PCRLOCK: Option = {
  name: 'pcrlock',
  value: 'FILE',
  help: 'file to write the records to (default: standard output)',
};

const LOCKED_PROFILE: Option = {
  name: 'profile',
  value: 'N',
  help: 'profile of a multi-profile image, counted from 0',
};

export const UKI_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'uki build',
    own: UKI_BUILD_OPTIONS,
    summary: 'build an image from a kernel, initrds and texts, as ukify does',
    example: 'espalier uki build --linux bzImage --initrd initrd --cmdline @cmdline --output a.efi',
    load: async () => (await import('./uki-build.ts')).ukiBuild,
  },
  {
    name: 'uki inspect',
    operands: [{ syntax: '<IMAGE>', help: 'file to look into' }],
    own: UKI_INSPECT_OPTIONS,
    summary: 'show what an image carries, section by section',
    example: 'espalier uki inspect --json /boot/EFI/Linux/nixos.efi',
    load: async () => (await import('./uki-inspect.ts')).ukiInspect,
  },
  {
    name: 'measure',
    operands: [
      {
        syntax: '<IMAGE|GENERATION...>',
        help: 'an image; or what is on the ESP: the number of a generation, or an entry',
      },
    ],
    own: MEASURE_OPTIONS,
    summary: 'predict PCR 11 and 12 of images, as systemd-measure does, and what extends PCR 4',
    example: 'espalier measure 42 --phase enter-initrd --bank sha256',
    load: async () => (await import('./measure.ts')).measure,
  },
  {
    name: 'uki verify',
    operands: [{ syntax: '<IMAGE>', help: 'the image, or - for what ukify inspect --json prints' }],
    own: UKI_VERIFY_OPTIONS,
    summary:
      'check that an image names the root hashes of the partitions made with it, or list its signatures',
    example: 'espalier uki verify nixos.efi --repart repart-output.json',
    load: async () => (await import('./uki-verify.ts')).ukiVerify,
  },
  {
    name: 'pcrlock lock-pe',
    operands: [{ syntax: '<FILE>', help: 'EFI program: boot loader, image or kernel' }],
    own: [PCRLOCK],
    summary: 'print what the firmware measures when it starts FILE, as systemd-pcrlock does',
    example: 'espalier pcrlock lock-pe /efi/EFI/systemd/systemd-bootx64.efi',
    load: async () => (await import('./pcrlock.ts')).pcrlockPe,
  },
  {
    name: 'pcrlock lock-uki',
    operands: [{ syntax: '<IMAGE>', help: 'Unified Kernel Image' }],
    own: [PCRLOCK, LOCKED_PROFILE],
    summary: 'print what firmware and stub measure when IMAGE starts, as systemd-pcrlock does',
    example: 'espalier pcrlock lock-uki nixos.efi --pcrlock 650-kernel.pcrlock',
    load: async () => (await import('./pcrlock.ts')).pcrlockUki,
  },
  {
    name: 'verity format',
    operands: [DATA, HASH],
    own: VERITY_FORMAT_OPTIONS,
    summary: 'write the dm-verity hash area of DATA into HASH and print the root hash',
    example: 'espalier verity format usr.erofs usr.verity --root-hash-file usr.roothash',
    load: async () => (await import('./verity-format.ts')).verityFormat,
  },
  {
    name: 'verity dump',
    operands: [HASH],
    own: VERITY_DUMP_OPTIONS,
    summary: 'print the superblock of a dm-verity hash area',
    example: 'espalier verity dump usr.verity',
    load: async () => (await import('./verity-dump.ts')).verityDump,
  },
  {
    name: 'verity verify',
    operands: [DATA, HASH, { syntax: '[ROOTHASH]', help: 'in hexadecimal' }],
    own: VERITY_VERIFY_OPTIONS,
    summary: 'check DATA and its dm-verity hash area against a root hash',
    example: 'espalier verity verify usr.erofs usr.verity --root-hash-file usr.roothash',
    load: async () => (await import('./verity-verify.ts')).verityVerify,
  },
  {
    name: 'verity sign',
    operands: [
      {
        syntax: '<SOURCE>',
        help: 'root hash, or a file with one: as veritysetup or systemd-repart --json print it',
      },
    ],
    own: VERITY_SIGN_OPTIONS,
    summary: 'sign a dm-verity root hash for the kernel and systemd',
    example:
      'espalier verity sign usr.roothash --certificate db.pem --private-key db.key --output usr.p7s',
    load: async () => (await import('./verity-sign.ts')).veritySign,
  },
];
