/** The options of `config copy`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';

export const CONFIG_COPY_OPTIONS: readonly Option[] = [
  { name: 'hangup', value: 'PID', help: 'then send SIGHUP to this process, which reads the copy' },
];
