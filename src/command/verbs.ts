/** The table of verbs: operands, options, help, and the import that loads each verb. */

import { CONFINE_OPTIONS } from '../settings/confine-options.ts';
import {
  KEYS_ENROLL_OPTIONS,
  KEYS_GENERATE_OPTIONS,
  SIGN_OPTIONS,
  SIGNING_REQUEST,
} from '../settings/keys-options.ts';
import type { Option } from '../settings/option.ts';
import {
  UKI_BUILD_OPTIONS,
  UKI_INSPECT_OPTIONS,
  UKI_VERIFY_OPTIONS,
} from '../settings/uki-options.ts';
import { UNIT_OPTIONS } from '../settings/units-options.ts';
import { locationOptions, settingOptions } from '../settings/verb-options.ts';
import {
  VERITY_DUMP_OPTIONS,
  VERITY_FORMAT_OPTIONS,
  VERITY_SIGN_OPTIONS,
  VERITY_VERIFY_OPTIONS,
} from '../settings/verity-options.ts';
import { WATCH_OPTIONS } from '../settings/watch-options.ts';
import { FIRMWARE_ROWS } from './firmware-verbs.ts';
import { KERNEL_ROWS } from './kernel-verbs.ts';
import type { Operand, VerbDeclaration } from './verb.ts';

const TOPLEVEL: Operand = {
  syntax: '[TOPLEVEL]',
  help: 'system to boot next (default: the profile’s current one)',
};

const GENERATION: Operand = {
  syntax: '<GENERATION>',
  help: 'its number, PROFILE-NUMBER, or a path that leads to it',
};

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

const KEYS: Operand = { syntax: '[DIR]', help: 'directory of the keys (default: /var/lib/sbctl)' };

/** A flag alone: whoever types it says that these programs may run here, and no configuration does. */
const RUN_SECRETS: Option = {
  name: 'run-secrets',
  help: 'also run programs that add secrets to initrds during plan, and with --root those of that system',
};

export const VERBS: readonly VerbDeclaration[] = [
  {
    name: 'install',
    operands: [TOPLEVEL],
    own: [RUN_SECRETS],
    summary: 'bring the ESP in line with the profiles and make TOPLEVEL boot next',
    example: 'espalier install --certificate db.pem --private-key db.key --limit 10',
    load: async () => (await import('./install.ts')).install,
  },
  {
    name: 'plan',
    operands: [TOPLEVEL],
    own: [SIGNING_REQUEST, RUN_SECRETS],
    runsNothing: true,
    summary: 'print what install would do, and do nothing',
    example: 'espalier plan --allow-unsigned --json',
    load: async () => (await import('./install.ts')).plan,
  },
  {
    name: 'watch',
    own: [...WATCH_OPTIONS, RUN_SECRETS],
    summary: 'keep the ESP in line with the profiles, as a service',
    example: 'espalier watch --certificate db.pem --private-key db.key --rescan 600',
    load: async () => (await import('./watch.ts')).watch,
  },
  {
    name: 'list',
    summary: 'list the boot entries on the ESP',
    example: 'espalier list --esp /boot',
    load: async () => (await import('./list.ts')).list,
  },
  {
    name: 'status',
    own: [{ name: 'metrics', help: 'print metrics for a text file of node_exporter' }],
    summary: 'show what boots now, what boots next, the loader and the space',
    example: 'espalier status --json',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'verify',
    operands: [{ syntax: '[FILE...]', help: 'EFI programs whose signatures to list instead' }],
    own: [{ name: 'deep', help: 'read every byte and check every digest and signature' }],
    summary: 'check what lies on the ESP against its names, or the signatures of a program',
    example: 'espalier verify --deep',
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'repair',
    own: [RUN_SECRETS],
    summary: 'read every byte on the ESP and rewrite what fails, from the store',
    example: 'espalier repair --certificate db.pem --private-key db.key',
    load: async () => (await import('./install.ts')).repair,
  },
  {
    name: 'gc',
    own: [RUN_SECRETS],
    summary: 'remove from the ESP what no generation needs, and write nothing',
    example: 'espalier gc --limit 5',
    load: async () => (await import('./install.ts')).gc,
  },
  {
    name: 'pin',
    operands: [GENERATION],
    summary: 'keep a generation on the ESP whatever the limit is',
    example: 'espalier pin 42',
    load: async () => (await import('./pin.ts')).pin,
  },
  {
    name: 'unpin',
    operands: [GENERATION],
    summary: 'give a pinned generation back to the limit',
    example: 'espalier unpin 42',
    load: async () => (await import('./pin.ts')).unpin,
  },
  ...KERNEL_ROWS,
  ...FIRMWARE_ROWS,
  {
    name: 'confine',
    operands: [{ syntax: '<UNIT>', help: 'unit file, or the name of a unit of the system' }],
    own: CONFINE_OPTIONS,
    summary: 'write a drop-in that lets a service see its closure and nothing else',
    example: 'espalier confine nginx.service --package /etc/nginx',
    load: async () => (await import('./confine.ts')).confine,
  },
  {
    name: 'units',
    own: UNIT_OPTIONS,
    summary: 'write the unit files of the watcher, of install for hooks and of the weekly verify',
    example: 'espalier units --prefix /usr/local --kernel-hooks',
    load: async () => (await import('./units.ts')).units,
  },
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
    operands: [{ syntax: '<IMAGE>', help: 'Unified Kernel Image of one profile' }],
    own: [PCRLOCK],
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
  {
    name: 'keys generate',
    operands: [KEYS],
    own: KEYS_GENERATE_OPTIONS,
    summary: 'make the keys of Secure Boot, PK, KEK and db, where there are none',
    example: 'espalier keys generate',
    load: async () => (await import('./keys-generate.ts')).keysGenerate,
  },
  {
    name: 'keys enroll',
    operands: [KEYS],
    own: KEYS_ENROLL_OPTIONS,
    summary: 'put keys on the ESP, for systemd-boot to enrol them in firmware',
    example: 'espalier keys enroll --microsoft /usr/share/secureboot/microsoft',
    load: async () => (await import('./keys-enroll.ts')).keysEnroll,
  },
  {
    name: 'keys status',
    operands: [KEYS],
    summary: 'show which keys firmware, the key directory and the ESP have, and whether they agree',
    example: 'espalier keys status --json',
    load: async () => (await import('./keys-status.ts')).keysStatus,
  },
  {
    name: 'sign',
    operands: [{ syntax: '[FILE...]', help: 'EFI programs, as those of fwupd or a memory test' }],
    own: SIGN_OPTIONS,
    summary: 'sign EFI programs, where they lie or to another file',
    example: 'espalier sign fwupdx64.efi --output fwupdx64.efi.signed',
    load: async () => (await import('./sign.ts')).sign,
  },
];

/** Returns every option of a verb except those that all verbs have. */
export function optionsOf({ name, own = [] }: VerbDeclaration): readonly Option[] {
  return [...settingOptions(name), ...own, ...locationOptions(name)];
}

/** What the verbs of two words have in common, by their first word. */
export const GROUPS: Readonly<Record<string, string>> = {
  uki: 'build Unified Kernel Images by hand, and look into them',
  pcrlock: 'predict measurements for systemd-pcrlock',
  firmware: 'the boot entries of firmware',
  entry: 'what the boot loader starts once, or always',
  loader: 'what the boot loader does',
  kernel: 'keep the kernels that packages install as generations',
  keys: 'make the keys of Secure Boot, and have firmware take them',
  verity: 'make hash areas of dm-verity, check and sign them',
};
