/** How a file or directory is kept for its owner alone, whatever the umask of whoever made it. */
import * as fs from 'node:fs';
import { translated } from '../io-error.ts';

/** Takes the rights of group and others away from what is known to be no link. @throws {IO} */
export function keepForOwner(path: string): void {
  // It is not opened: to close a file drops the locks that this process has on it (fcntl(2)).
  translated('restrict', path, () => fs.chmodSync(path, fs.lstatSync(path).mode & 0o700));
}
