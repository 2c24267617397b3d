/** The options of `firmware`, `entry` and `loader`. They are apart from the code, so that the help loads nothing else. */
import type { Option } from './option.ts';

export const REGISTER_OPTIONS: readonly Option[] = [
  { name: 'first', help: 'put them before all others, also when they are there already' },
  {
    name: 'title',
    value: 'TEXT',
    help: 'what firmware’s menu shows (default: Linux Boot Manager)',
  },
];

export const CLEAR: Option = { name: 'clear', help: 'have loader.conf decide again' };

export const ONCE: Option = {
  name: 'once',
  help: 'at the next start only: what starts after that stays as it is',
};
