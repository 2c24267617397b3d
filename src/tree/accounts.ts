/** Names of users and groups, from the tree's own files: passwd(5) and group(5). */

import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';

/** Returns the numbers of the names in the text of `/etc/passwd` or `/etc/group`. */
export function parseAccounts(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name = '', , number = ''] = line.split(':');
    if (name !== '' && /^[0-9]{1,10}$/.test(number) && !numbers.has(name)) {
      numbers.set(name, Number(number));
    }
  }
  return numbers;
}

/** Where names of a kind are looked up. */
export const ACCOUNT_FILES = { user: '/etc/passwd', group: '/etc/group' } as const;

const MAX_ID = 0xffff_fffe;

/**
 * Returns the number of a user or group. `root` is 0 also in a tree without these files.
 * @throws {CONFIG_INVALID} when the tree does not know the name
 */
export function accountNumber(
  name: string,
  kind: keyof typeof ACCOUNT_FILES,
  known: ReadonlyMap<string, number>,
): number {
  if (/^[0-9]{1,10}$/.test(name) && Number(name) <= MAX_ID) return Number(name);
  const number = known.get(name) ?? (name === 'root' ? 0 : undefined);
  if (number !== undefined) return number;
  throw new EspError(
    'CONFIG_INVALID',
    `${kind} ${JSON.stringify(name)}: expected a number or a name in ${ACCOUNT_FILES[kind]} of the image, which has ${counted(known.size, 'name')}`,
    { hint: `put ${ACCOUNT_FILES[kind]} into the image, or give the number` },
  );
}
