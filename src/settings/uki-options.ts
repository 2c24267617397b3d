/**
 * The options of `uki build` and its siblings, apart from their code: the help loads nothing else.
 */
import type { Option } from './option.ts';
import { POLICY_OPTIONS } from './policy-options.ts';

export const UKI_BUILD_OPTIONS: readonly Option[] = [
  { name: 'linux', value: 'FILE', help: 'kernel; without one an addon or a profile is built' },
  { name: 'initrd', value: 'FILE', repeatable: true, help: 'initrd; repeat to join several' },
  { name: 'cmdline', value: 'TEXT|@FILE', help: 'kernel command line' },
  {
    name: 'os-release',
    value: 'TEXT|@FILE',
    help: 'os-release text, empty for none (default: that of this system, with a kernel)',
  },
  {
    name: 'uname',
    value: 'RELEASE',
    help: 'kernel release, empty for none (default: read from it)',
  },
  { name: 'microcode', value: 'FILE', help: 'uncompressed microcode archive' },
  { name: 'splash', value: 'FILE', help: 'boot splash, a bitmap (BMP)' },
  { name: 'devicetree', value: 'FILE', help: 'device tree' },
  {
    name: 'devicetree-auto',
    value: 'FILE',
    repeatable: true,
    help: 'device tree that is used where it fits the hardware',
  },
  {
    name: 'pcrpkey',
    value: 'FILE',
    help: 'public key (PEM) of those who sign policies, or a certificate with it (default: that of the only key)',
  },
  ...POLICY_OPTIONS,
  { name: 'sbat', value: 'TEXT|@FILE', repeatable: true, help: 'SBAT, merged with the stub’s' },
  {
    name: 'section',
    value: 'NAME:TEXT|NAME:@FILE',
    repeatable: true,
    help: 'any other section',
  },
  { name: 'profile', value: 'TEXT|@FILE', help: 'profile: ID= and TITLE=' },
  {
    name: 'join-profile',
    value: 'FILE',
    repeatable: true,
    help: 'image of a profile to add, made with --profile',
  },
  { name: 'stub', value: 'FILE', help: 'stub of the image (default: the one in --systemd)' },
  {
    name: 'systemd',
    value: 'DIR',
    help: 'holds lib/systemd/boot/efi (default: the running system’s own, else /usr)',
  },
  { name: 'efi-arch', value: 'ARCH', help: 'whose stub to take (default: the kernel’s)' },
  { name: 'secureboot-private-key', value: 'FILE', help: 'PEM private key to sign with' },
  { name: 'secureboot-certificate', value: 'FILE', help: 'PEM certificate to sign for' },
  { name: 'allow-insecure-key', help: 'use a private key that others can read or replace' },
  {
    name: 'sign-kernel',
    help: 'sign the kernel inside too: whoever takes it out can then start it, with any initrd and any command line, under Secure Boot; only for stubs that cannot start a kernel without it',
  },
  { name: 'no-sign-kernel', help: 'leave the kernel inside as it is (the default)' },
  { name: 'dracut', help: 'have dracut make an initrd, which comes before any --initrd' },
  {
    name: 'kver',
    value: 'RELEASE',
    help: 'dracut: whose modules to take (default: --uname, else read from the kernel)',
  },
  { name: 'install', value: 'LIST', repeatable: true, help: 'dracut: files to install' },
  { name: 'add', value: 'LIST', repeatable: true, help: 'dracut: dracut modules to add' },
  { name: 'add-drivers', value: 'LIST', repeatable: true, help: 'dracut: kernel modules to add' },
  {
    name: 'force-drivers',
    value: 'LIST',
    repeatable: true,
    help: 'dracut: kernel modules to add and to load early',
  },
  {
    name: 'filesystems',
    value: 'LIST',
    repeatable: true,
    help: 'dracut: the only file systems whose modules are taken',
  },
  {
    name: 'verity',
    value: 'SOURCE',
    repeatable: true,
    help: 'put the root hash on the command line: hexadecimal, or a file or device with the output of systemd-repart --json or veritysetup format, a root hash, a signature, or data with --verity-hash-area',
  },
  { name: 'verity-of', value: 'root|usr', help: 'what it is of, where SOURCE does not say' },
  {
    name: 'verity-hash-area',
    value: 'FILE',
    help: 'hash area of the data in SOURCE: they are hashed anew',
  },
  {
    name: 'verity-data-device',
    value: 'DEVICE',
    help: 'where the system finds the data (default: by the root hash)',
  },
  {
    name: 'verity-hash-device',
    value: 'DEVICE',
    help: 'where the system finds the hash area (default: by the root hash)',
  },
  {
    name: 'verity-hash-offset',
    value: 'BYTES',
    help: 'where the hash area begins, behind the data unless it has a device or a file of its own',
  },
  { name: 'verity-data-blocks', value: 'N', help: 'blocks of data that are covered' },
  {
    name: 'verity-on-corruption',
    value: 'ignore|restart|panic',
    help: 'what the kernel does then (default: the read fails)',
  },
  {
    name: 'verity-signature',
    value: 'PATH|base64:TEXT|auto',
    help: 'where the system finds the signature of the root hash',
  },
  {
    name: 'verity-option',
    value: 'OPTION',
    repeatable: true,
    help: 'any other option of systemd-veritysetup, as check-at-most-once',
  },
  { name: 'config', value: 'FILE', help: 'configuration file of ukify; flags count more' },
  { name: 'output', value: 'FILE', help: 'where the image goes (default: LINUX[.unsigned].efi)' },
];

export const UKI_INSPECT_OPTIONS: readonly Option[] = [
  { name: 'all', help: 'show sections of the stub and unknown ones as well' },
];

export const UKI_VERIFY_OPTIONS: readonly Option[] = [
  {
    name: 'repart',
    value: 'FILE',
    repeatable: true,
    help: 'output of systemd-repart --json; repeat for several runs on the same disk (default: the signatures of the image are listed)',
  },
  {
    name: 'certificate',
    value: 'FILE',
    help: 'without --repart: PEM certificate that has to accept it',
  },
];

/** Options that dracut has under the same names, each with a list. */
export const DRACUT_LISTS = [
  'install',
  'add',
  'add-drivers',
  'force-drivers',
  'filesystems',
] as const;
