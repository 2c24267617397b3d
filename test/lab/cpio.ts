/** The cpio format from which the kernel unpacks an initrd, and its members. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** One member of an archive. `content` is a file's bytes, or the text of a symbolic link. */
export interface Member {
  readonly path: string;
  readonly content: Uint8Array;
  /** The kind and the permission bits, as stat(2) gives them. */
  readonly mode: number;
  /** Seconds since the epoch, which is what it is if not given. */
  readonly modified?: number;
}

const kinds = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** Returns a file with the content of a file on this machine. */
export function memberFrom(path: string, source: string, permissions = 0o644): Member {
  return { path, content: readFileSync(source), mode: kinds.file | permissions };
}

/** Returns a file with the given text. */
export function memberOf(path: string, text: string, permissions = 0o644): Member {
  return { path, content: new TextEncoder().encode(text), mode: kinds.file | permissions };
}

/** Returns a symbolic link. */
export function linkOf(path: string, target: string): Member {
  return { path, content: new TextEncoder().encode(target), mode: kinds.link | 0o777 };
}

/** Returns everything under an absolute path as members of the same path, links as links. */
export function membersUnder(directory: string): readonly Member[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  const nested = entries.flatMap((entry) => {
    const source = join(directory, entry.name);
    if (entry.isDirectory()) return membersUnder(source);
    const { mode, mtimeMs } = lstatSync(source);
    const link = entry.isSymbolicLink();
    const content = link ? new TextEncoder().encode(readlinkSync(source)) : readFileSync(source);
    return [{ path: source.slice(1), content, mode, modified: Math.floor(mtimeMs / 1000) }];
  });
  return [folder(directory.slice(1)), ...nested];
}

/**
 * Returns an archive of the `newc` kind (Linux early-userspace §buffer-format), with the directories
 * above every member. Directories may come twice: the kernel does not mind.
 */
export function formatCpio(members: readonly Member[]): Uint8Array {
  const all = [...parentFolders(members).map(folder), ...members];
  const records = all.flatMap((member, index) => record(member, index + 1));
  return concat([...records, ...record({ ...folder('TRAILER!!!'), mode: 0 }, 0)]);
}

function folder(path: string): Member {
  return { path, content: new Uint8Array(), mode: kinds.directory | 0o755 };
}

/** Returns every directory above the members, parents first. */
function parentFolders(members: readonly Member[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of members) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      folders.add(path.slice(0, end));
    }
  }
  return [...folders].sort();
}

function record(
  { path, content, mode, modified = 0 }: Member,
  inode: number,
): readonly Uint8Array[] {
  const name = new TextEncoder().encode(`${path}\0`);
  const links = 1;
  // inode, mode, uid, gid, links, mtime, size, device and node numbers (four), name size, checksum
  const fields = [inode, mode, 0, 0, links, modified, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [
    new TextEncoder().encode(header),
    name,
    padding(header.length + name.length),
    content,
    padding(content.length),
  ];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
