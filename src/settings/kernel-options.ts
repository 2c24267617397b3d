/** The options of `kernel`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';

export const KERNEL_OPTIONS: readonly Option[] = [
  {
    name: 'without-initrd',
    help: 'the kernel needs no initrd; else one without it is broken, and is not installed',
  },
];
