/** What a tar file holds. */
import { EspError } from '../error.ts';
import type { Contents } from './contents.ts';
import { below, type Placing } from './placing.ts';
import type { DraftNode } from './records.ts';
import { type TarMember, tarMembers } from './tar-reader.ts';

type Tar = Extract<Contents, { kind: 'tar' }>;

/** Puts the members of a tar file into the draft. Their content stays in the file. */
export function unpackInto({ source, target }: Tar, by: string, placing: Placing): void {
  const { disk, draft, settings, requireTrusted } = placing;
  requireTrusted?.(source);
  using file = disk.open(source);
  for (const member of tarMembers(file, source)) {
    const path = below(target, inside(member.path, source));
    const node =
      member.kind === 'hard-link'
        ? linked(draft.node(below(target, inside(member.target, source))), member, source)
        : drafted(member, source);
    const isFile = node.kind === 'file' && settings.hardLinks === 'kept';
    const identity = node.identity ?? `${by}:${member.offset}`;
    const { identity: _none, ...plain } = node;
    draft.put(path, isFile ? { ...plain, identity } : plain, by);
  }
}

/** Returns the path of a member without what would lead it out of the tree. */
function inside(path: string, source: string): string {
  if (!path.split('/').includes('..')) return path;
  throw new EspError(
    'TREE_MALFORMED',
    `${source}: expected paths without .., got ${JSON.stringify(path.slice(0, 200))}`,
    { hint: 'pack it anew: such a member would lie outside of the image' },
  );
}

function linked(first: DraftNode | undefined, member: TarMember, source: string): DraftNode {
  if (first !== undefined && first.kind !== 'directory') return first;
  const [path, target] = [member.path, member.target].map((name) => JSON.stringify(name));
  throw new EspError(
    'TREE_MALFORMED',
    `${source}: ${path} is a hard link to ${target}, which is ${first === undefined ? 'not before it' : 'a directory'}`,
  );
}

function drafted(member: TarMember, source: string): DraftNode {
  const { kind, mode, uid, gid, modified, offset, size, xattrs } = member;
  if (kind === 'hard-link') throw new Error('a hard link is drafted from what it leads to');
  return {
    ...{ kind, mode, uid, gid, modified, xattrs },
    size: kind === 'file' ? size : 0,
    ...(kind === 'link' && { target: member.target }),
    ...((kind === 'character' || kind === 'block') && { device: member.device }),
    ...(kind === 'file' && size > 0 && { content: { path: source, offset } }),
  };
}
