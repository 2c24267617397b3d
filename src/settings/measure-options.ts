/** The options of `measure`, apart from their code: the help loads nothing else. */
import type { Option } from './option.ts';

export const MEASURE_OPTIONS: readonly Option[] = [
  {
    name: 'profile',
    value: 'N',
    repeatable: true,
    help: 'profile of a multi-profile image, counted from 0 (default: each of an image; that which an entry names)',
  },
  {
    name: 'phase',
    value: 'PATH',
    repeatable: true,
    help: 'phases divided by colons, `:` for what the stub leaves (default: the four of systemd-measure)',
  },
  {
    name: 'bank',
    value: 'sha1|sha256|sha384|sha512',
    repeatable: true,
    help: 'bank of the TPM (default: all four)',
  },
  {
    name: 'secure-boot',
    value: 'on|off',
    help: 'without it, stubs take command lines from outside, and old ones have the kernel measured (default: on)',
  },
];
