/** The options of `image`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';
import { optionsNamed } from './verb-options.ts';

const OUTPUT: Option = { name: 'output', value: 'FILE', help: 'where the image goes' };
const FORCE: Option = { name: 'force', help: 'replace an output that is there already' };

const DEFINITIONS: Option = {
  name: 'definitions',
  value: 'DIR',
  repeatable: true,
  help: 'directory with definitions of systemd-repart, instead of DESCRIPTION',
};
const ARCHITECTURE: Option = {
  name: 'architecture',
  value: 'NAME',
  help: 'what root and usr without an architecture mean, as arm64 (default: x86-64)',
};
const KEY = optionsNamed('certificate', 'private-key', 'allow-insecure-key');

export const IMAGE_BUILD_OPTIONS: readonly Option[] = [
  DEFINITIONS,
  OUTPUT,
  FORCE,
  {
    name: 'seed',
    value: 'UUID',
    help: 'derive all identifiers from it, as systemd-repart does (default: all zeros)',
  },
  { name: 'size', value: 'SIZE|auto', help: 'of the disk, as 4G (default: as small as can be)' },
  { name: 'sector-size', value: 'BYTES', help: '512 or 4096 (default: 512)' },
  ARCHITECTURE,
  {
    name: 'defer',
    value: 'TYPE',
    repeatable: true,
    help: 'leave partitions of this type empty, as esp for image finish',
  },
  {
    name: 'format',
    value: 'FORMAT',
    help: 'raw, qcow2, qcow2-compressed, vdi, vpc or vpc-fixed (default: as the name of the output ends)',
  },
  { name: 'split', help: 'write each partition into a file of its own as well' },
  { name: 'dry-run', help: 'print what would be made, and write nothing' },
  ...KEY,
  { name: 'efi-vars', value: 'FILE', help: 'write EFI variables that boot the image' },
  { name: 'firmware', value: 'FILE', help: 'what they start from, as OVMF_VARS_4M.fd' },
  {
    name: 'keys',
    value: 'DIR',
    help: 'key directory to enrol in them: Secure Boot is on from the first start',
  },
];

export const IMAGE_FINISH_OPTIONS: readonly Option[] = [
  {
    name: 'description',
    value: 'FILE',
    help: 'what the image was built from: the rest of its ESP',
  },
  { ...DEFINITIONS, help: 'definitions that the image was built from: the rest of its ESP' },
  { ...OUTPUT, help: 'where the finished image goes (default: IMAGE is replaced)' },
  FORCE,
  {
    name: 'uki-path',
    value: 'PATH',
    help: 'where UKI goes on the ESP (default: as the description says, else /EFI/Linux/UKI)',
  },
  ARCHITECTURE,
  ...KEY,
];

export const IMAGE_CONVERT_OPTIONS: readonly Option[] = [
  {
    name: 'format',
    value: 'FORMAT',
    help: 'raw, qcow2, qcow2-compressed, vdi, vpc or vpc-fixed (default: by the name of OUTPUT)',
  },
  FORCE,
];

export const IMAGE_INSPECT_OPTIONS: readonly Option[] = [
  { name: 'deep', help: 'read every block that a hash tree protects, and check it' },
];

export const IMAGE_EFI_VARS_OPTIONS: readonly Option[] = [
  { ...OUTPUT, help: 'where the file of variables goes' },
  FORCE,
  {
    name: 'keys',
    value: 'DIR',
    help: 'enrol PK, KEK and db of this key directory: Secure Boot is on from the first start',
  },
  {
    name: 'microsoft',
    value: 'FILE|DIR',
    repeatable: true,
    help: 'certificates of Microsoft, to trust as well',
  },
  {
    name: 'certificates',
    value: 'FILE',
    repeatable: true,
    help: 'certificates of others, PEM or DER; those for key exchange say KEK in their name',
  },
  {
    name: 'dbx',
    value: 'FILE',
    help: 'what firmware is to refuse: signature lists, or an update of dbx',
  },
  { name: 'image', value: 'IMAGE', help: 'disk image to boot, as disk.raw or disk.qcow2#1' },
  {
    name: 'boot',
    value: 'PATH',
    repeatable: true,
    help: 'program on its ESP to start, the first one first (default: its boot loader)',
  },
];
