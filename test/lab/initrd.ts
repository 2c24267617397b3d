/** Initrds: the cpio format the kernel unpacks, and one whose /init proves which entry booted. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from './parts.ts';

/** One member of an archive; directories above it are made as needed. */
export interface Member {
  readonly path: string;
  /** A file's bytes, or the text of a symbolic link. */
  readonly content: Uint8Array;
  /** Permission bits; for anything but a file, with the bits of its kind. */
  readonly mode: number;
}

const kinds = { mask: 0o170000, directory: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** The word that starts the proof on the console. */
export const proofMark = 'ESPALIER-PROOF';

/** Returns a member with the content of a file on this machine. */
export function memberFrom(path: string, source: string, mode = 0o644): Member {
  return { path, content: readFileSync(source), mode };
}

/** Returns a member with the given text. */
export function memberOf(path: string, text: string, mode = 0o644): Member {
  return { path, content: new TextEncoder().encode(text), mode };
}

/** Returns everything under a directory as members of the same absolute path, links as links. */
export function membersUnder(directory: string): readonly Member[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const source = join(entry.parentPath, entry.name);
      const path = source.slice(1);
      if (!entry.isSymbolicLink()) return memberFrom(path, source, statSync(source).mode & 0o777);
      return memberOf(path, readlinkSync(source), kinds.link | 0o777);
    });
}

/** Returns a cpio archive of the `newc` kind (Linux Documentation/driver-api/early-userspace/buffer-format). */
export function formatCpio(members: readonly Member[]): Uint8Array {
  const folders = parentFolders(members).map((path) => folder(path));
  const all = [...folders, ...members];
  const records = all.flatMap((member, index) => record(member, index + 1));
  return concat([...records, ...record({ ...folder('TRAILER!!!'), mode: 0 }, 0)]);
}

function folder(path: string): Member {
  return { path, content: new Uint8Array(), mode: kinds.directory | 0o755 };
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

function parentFolders(members: readonly Member[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of members) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      folders.add(path.slice(0, end));
    }
  }
  return [...folders].sort();
}

function record({ path, content, mode }: Member, inode: number): readonly Uint8Array[] {
  const name = new TextEncoder().encode(`${path}\0`);
  const links = 1;
  const kindAndMode = inode === 0 || (mode & kinds.mask) !== 0 ? mode : kinds.file | mode;
  // inode, mode, uid, gid, links, mtime, size, device and node numbers (four), name size, checksum
  const fields = [inode, kindAndMode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
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

/** Returns busybox as a member. */
export function shellMember(parts: Parts): Member {
  return memberFrom('bin/busybox', parts.busybox, 0o755);
}

/** Returns a kernel module as a member, named without its folders. */
export function moduleMember(parts: Parts, path: string): Member {
  return memberFrom(
    `modules/${path.slice(path.lastIndexOf('/') + 1)}`,
    join(parts.modules, 'kernel', path),
  );
}

const proofInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t securityfs security /sys/kernel/security
insmod /modules/efivarfs.ko && mount -t efivarfs efivars /sys/firmware/efi/efivars
efi=/sys/firmware/efi/efivars
text() { tail -c +5 "$efi/$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" | tr -d '\\000'; }

generation=none
for word in $(cat /proc/cmdline); do
  case $word in init=*-generation-*/init)
    generation=\${word##*-generation-}
    generation=\${generation%/init} ;;
  esac
done
secure=$(tail -c 1 $efi/SecureBoot-* | tr '\\000\\001' 01)
lockdown=$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' /sys/kernel/security/lockdown)
{
  echo
  echo "${proofMark} generation=$generation secureboot=$secure lockdown=$lockdown entry=$(text LoaderEntrySelected) loader=$(text LoaderInfo | tr ' ' _) cmdline=$(cat /proc/cmdline)"
} > /dev/console 2>&1
poweroff -f
`;

/**
 * Returns an initrd that prints one proof line on the console and powers the machine off. The line
 * names the generation by the `…-generation-<N>/init` of the command line.
 * @param note text that makes one initrd differ from another
 */
export function makeProofInitrd(parts: Parts, note: string): Uint8Array {
  return formatCpio([
    shellMember(parts),
    moduleMember(parts, 'fs/efivarfs/efivarfs.ko'),
    memberOf('note', `${note}\n`),
    memberOf('init', proofInit, 0o755),
  ]);
}
