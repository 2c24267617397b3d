/** The options of `confine`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';

export const CONFINE_OPTIONS: readonly Option[] = [
  { name: 'closure', value: 'FILE', help: 'bind the paths that FILE names, one per line' },
  { name: 'elf', help: 'bind each executable with its interpreter and shared libraries' },
  { name: 'nix', help: 'bind the closure that nix-store knows (default: where all is in a store)' },
  {
    name: 'mode',
    value: 'full-apivfs|chroot-only',
    help: 'with a private /dev, /proc, /sys and /tmp, or the root alone (default: full-apivfs)',
  },
  { name: 'full-unit', help: 'bind everything that the unit names, not only what it executes' },
  {
    name: 'package',
    value: 'PATH',
    repeatable: true,
    help: 'bind this as well, with its closure; repeat for more',
  },
  { name: 'bin-sh', value: 'PATH', help: 'what is /bin/sh inside (default: /bin/sh)' },
  { name: 'no-bin-sh', help: 'no /bin/sh inside' },
  {
    name: 'output',
    value: 'FILE|-',
    help: 'where the drop-in goes, - for standard output (default: UNIT.d/confinement.conf)',
  },
];
