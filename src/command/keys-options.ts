/** The options of `keys` and `sign`, apart from their work so that the help costs no more than these tables. */
import type { Option } from './settings.ts';

export const KEYS_GENERATE_OPTIONS: readonly Option[] = [
  { name: 'bits', value: '2048|3072|4096', help: 'size of the RSA keys (default: 4096)' },
  {
    name: 'days',
    value: 'N',
    help: 'how long the certificates are valid; firmware does not look at it (default: 3650)',
  },
];
