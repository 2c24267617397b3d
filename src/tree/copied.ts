/** Copies of files and directories of the disk. */
import { basename, matchesGlob } from 'node:path';
import type { Disk, FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Contents, TreeSettings } from './contents.ts';
import { exclusionOf, expand, isPattern } from './glob.ts';
import { type DeviceNumber, KIND_BITS, type NodeKind, type Xattr } from './node.ts';
import { below, owned, type Placing } from './placing.ts';
import type { DraftNode } from './records.ts';

type Copy = Extract<Contents, { kind: 'copy' }>;

/** Puts what a declaration copies into the draft. */
export function copyInto(copy: Copy, by: string, placing: Placing): void {
  const { source, target } = copy;
  const found: readonly (readonly [path: string, target: string])[] = isPattern(source)
    ? expand(source, placing.disk).map((path) => [path, below(target, basename(path))])
    : [[source, target]];
  if (found.length === 0) {
    throw new EspError('FILE_MISSING', `${source}: expected the pattern to match something`);
  }
  for (const [path, place] of found) {
    const xattrsAt = attributesOf(copy, path, placing);
    copyOne({ ...copy, by, xattrsAt }, path, place, '', placing);
  }
}

/** Returns what gives the attributes of a path of the source that come along. */
function attributesOf(
  { xattrs: patterns = [] }: Copy,
  source: string,
  { disk, readXattrs }: Placing,
): (path: string) => readonly Xattr[] {
  if (patterns.length === 0) return () => [];
  if (readXattrs === undefined) {
    throw new EspError('CONFIG_INVALID', `${source}: xattrs: the file system here keeps none`);
  }
  // The source itself may be a link.
  const real = disk.realPath(source) ?? source;
  const all = readXattrs(real);
  return (path) =>
    (all.get(`${real}${path.slice(source.length)}`) ?? []).filter(({ name }) =>
      patterns.some((pattern) => matchesGlob(name, pattern)),
    );
}

type Copying = Copy & {
  readonly by: string;
  readonly xattrsAt: (path: string) => readonly Xattr[];
};

/** `within` is the path below the source of the declaration. */
function copyOne(
  copy: Copying,
  path: string,
  target: string,
  within: string,
  placing: Placing,
): void {
  const { disk, draft, settings } = placing;
  const excluded = within === '' ? undefined : exclusionOf(within, copy.exclude ?? []);
  if (excluded === 'whole') return;
  // The source itself may be a link to what is meant, as a profile is; below it, links are copied.
  const stat = within === '' ? disk.stat(path) : disk.linkStat(path);
  if (stat === undefined) throw absent(path);
  if (stat.kind === 'file') requireTrustedDevice(path, stat, placing);
  const node = { ...drafted(path, stat, copy.by, settings, disk), xattrs: copy.xattrsAt(path) };
  draft.put(target, owned(node, copy), copy.by);
  if (stat.kind !== 'directory' || excluded === 'content') return;
  for (const { name } of disk.list(path) ?? []) {
    const deeper = within === '' ? name : `${within}/${name}`;
    copyOne(copy, `${path}/${name}`, below(target, name), deeper, placing);
  }
}

/** Below a directory, other file systems may be mounted. Each is asked about by its first file. */
function requireTrustedDevice(
  path: string,
  { device }: FileStat,
  { requireTrusted, trusted }: Placing,
): void {
  if (requireTrusted === undefined || trusted.has(device)) return;
  requireTrusted(path);
  trusted.add(device);
}

/** Where Node cannot read the bytes of a name, it puts U+FFFD: no file has the name that comes of it. */
function absent(path: string): EspError {
  return path.includes('\uFFFD')
    ? new EspError('TREE_MALFORMED', `${path}: expected names in UTF-8`, {
        hint: 'rename it, or leave it out',
      })
    : new EspError('FILE_MISSING', `${path} does not exist`);
}

/** Of `mode`: the bits that say of which kind a file is. */
const ALL_KIND_BITS = 0o170000;

function kindOf({ kind, mode }: FileStat): NodeKind | undefined {
  if (kind !== 'other') return kind;
  const kinds = Object.entries(KIND_BITS) as [NodeKind, number][];
  return kinds.find(([, bits]) => bits === (mode & ALL_KIND_BITS))?.[0];
}

function drafted(
  path: string,
  stat: FileStat,
  by: string,
  settings: TreeSettings,
  disk: Disk,
): DraftNode {
  const isKept = settings.owners === 'kept';
  const kind = kindOf(stat);
  if (kind === undefined)
    throw new EspError('FILE_MISSING', `${path}: expected a file of a kind that Linux has`);
  const size = kind === 'file' ? stat.size : 0;
  return {
    kind,
    mode: stat.mode & 0o7777,
    uid: isKept ? stat.uid : 0,
    gid: isKept ? (stat.gid ?? 0) : 0,
    modified: Math.floor(stat.modified / 1000),
    size,
    xattrs: [],
    ...(kind === 'link' && { target: disk.readLink(path) ?? '' }),
    ...(stat.leadsTo !== undefined && { device: deviceNumber(stat.leadsTo) }),
    ...(size > 0 && { content: { path, offset: 0 } }),
    ...(kind === 'file' &&
      settings.hardLinks === 'kept' && { identity: `${by}:${stat.device}:${stat.inode}` }),
  };
}

/** makedev(3) defines how the two numbers share these bits. */
function deviceNumber(number: number): DeviceNumber {
  return {
    major: (number >>> 8) & 0xfff,
    minor: (number & 0xff) | ((number >>> 12) & 0xfff00),
  };
}
