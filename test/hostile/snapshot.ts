/** What lies below a directory, so that a change to any of it can be told. */
import * as fs from 'node:fs';
import { join } from 'node:path';

/** A path without its root, byte by byte: names need not be UTF-8. */
type Path = string;

/** Returns everything below a directory by path, each told by its kind and its last change. Follows no link. */
export function snapshot(root: string, leftOut: readonly string[] = []): Map<Path, string> {
  const found = new Map<Path, string>();
  const walk = (directory: Buffer, prefix: string): void => {
    for (const name of fs.readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([directory, Buffer.from('/'), name]);
      const shown = prefix + name.toString('latin1');
      if (leftOut.includes(shown)) continue;
      const stats = fs.lstatSync(path);
      found.set(shown, tell(path, stats));
      if (stats.isDirectory()) walk(path, `${shown}/`);
    }
  };
  walk(Buffer.from(root), '');
  return found;
}

function tell(path: Buffer, stats: fs.Stats): string {
  if (stats.isSymbolicLink()) return `link to ${fs.readlinkSync(path)}`;
  if (stats.isDirectory()) return `directory ${stats.mode}`;
  // The kernel moves the time of change with every write, rename and chmod: no content says more.
  const mark = `${stats.mode} ${stats.ino} ${stats.size} ${stats.ctimeMs}`;
  return stats.isFile() ? `file ${mark}` : `special ${mark} ${stats.rdev}`;
}

/** Returns a line for everything that was there before and is not, or not the same, any more. */
export function changes(
  before: ReadonlyMap<Path, string>,
  after: ReadonlyMap<Path, string>,
  isOurs: (path: Path) => boolean = () => false,
): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths]
    .filter((path) => !isOurs(path) && before.get(path) !== after.get(path))
    .map((path) => `${path}: ${before.get(path) ?? 'nothing'} → ${after.get(path) ?? 'nothing'}`);
}

/** Puts a secret and its twin of every kind outside of an ESP, and returns where. */
export function aSecret(root: string): string {
  const outside = join(root, 'outside');
  fs.mkdirSync(join(outside, 'directory'), { recursive: true });
  fs.writeFileSync(join(outside, 'secret'), 'timeout 77\neditor SECRET\n');
  fs.writeFileSync(join(outside, 'directory', 'foreign.efi'), 'SECRET');
  return outside;
}
