/** What is written and remembered. */
import type { Mutant } from '../mutant.ts';

const CACHE = 'test/disk/digest-cache.test.ts';
const NODE = 'test/disk/node-disk.test.ts';
const CONTRACT = 'test/disk/contract.test.ts';

export const disk: readonly Mutant[] = [
  {
    id: 'disk/cache-ctime',
    file: 'src/disk/digest-cache.ts',
    find: 'modified === stat.modified &&\n    changed === stat.changed',
    replace: 'modified === stat.modified &&\n    changed > 0',
    killedBy: { file: CACHE, title: /another file, another key, or any other stat finds nothing/ },
    why: 'A kernel changed with its size and mtime kept would be installed under its old digest.',
  },
  {
    id: 'disk/cache-racy',
    file: 'src/disk/digest-cache.ts',
    find: 'const RACY = 3000;',
    replace: 'const RACY = 1500;',
    killedBy: { file: CACHE, title: /a file that changed a moment ago is not remembered/ },
    why: 'A file that changes twice within a tick of the clock would keep its first digest.',
  },
  {
    id: 'disk/cache-of-others',
    file: 'src/disk/digest-cache.ts',
    find: "if (!isTrusted(disk, dirname(path), 'directory') || !isTrusted(disk, path, 'file')) return [];",
    replace: '',
    killedBy: { file: CACHE, title: /a cache that others could have written is not believed/ },
    why: 'Any user could plant a digest and have his own file signed as a kernel.',
  },
  {
    id: 'disk/cache-version',
    file: 'src/disk/digest-cache.ts',
    find: 'return value.version === VERSION && Array',
    replace: 'return Array',
    killedBy: { file: CACHE, title: /a cache that is no cache of ours is empty/ },
    why: 'Rows of another version would be read with another meaning.',
  },
  {
    id: 'disk/create-over-existing',
    file: 'src/disk/node-writing.ts',
    find: "fs.openSync(path, 'wx', mode)",
    replace: "fs.openSync(path, 'w', mode)",
    killedBy: { file: CONTRACT, title: /the real disk a name that is taken is not created/ },
    why: 'A temporary file of another run would be overwritten.',
  },
  {
    id: 'disk/copy-size-not-compared',
    file: 'src/disk/node-writing.ts',
    find: 'if (got !== expected) throw',
    replace: 'if (got < 0) throw',
    killedBy: { file: NODE, title: /a copy that is shorter than its source is no copy/ },
    why: 'A copy cut short by a full disk would be installed.',
  },
  {
    id: 'disk/file-not-synced',
    file: 'src/disk/node-writing.ts',
    find: "await attempt('sync', path, behind.settled());",
    replace: '',
    killedBy: { file: NODE, title: /a large file is sent to the disk while it grows/ },
    why: 'An error that the disk reports early would be lost, and the file be broken.',
  },
  {
    id: 'disk/private-copies-for-all',
    file: 'src/disk/node-writing.ts',
    find: 'owner: { file: FILE_MODE, directory: 0o700 },',
    replace: 'owner: { file: 0o644, directory: 0o755 },',
    killedBy: { file: NODE, title: /what is made is for its owner only/ },
    why: 'Secrets of an initrd could be read by every user.',
  },
  {
    id: 'disk/link-of-the-living',
    file: 'src/disk/node-writing.ts',
    find: 'if (mark && isStale(mark))',
    replace: 'if (mark)',
    killedBy: { file: NODE, title: /processes that make one link at once/ },
    why: 'Two runs that pin at once would remove each other’s link.',
  },
  {
    id: 'disk/size-not-checked',
    file: 'src/disk/hash-file.ts',
    find: 'if (got === size) return',
    replace: 'if (got >= size) return',
    killedBy: {
      file: 'test/disk/hash-files.test.ts',
      title: /a file of another size than expected/,
    },
    why: 'A file that grows while it is hashed would be installed under a digest of its beginning.',
  },
];
