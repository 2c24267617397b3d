/** Makes a tree from declarations. */
import { basename, join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { ACCOUNT_FILES, accountNumber, parseAccounts } from './accounts.ts';
import type { Contents, TreeReading, TreeSettings } from './contents.ts';
import { copyInto } from './copied.ts';
import { Draft, plainDirectory } from './draft.ts';
import { owned, type Placing } from './placing.ts';
import type { DraftNode } from './records.ts';
import type { Tree } from './tree.ts';
import { unpackInto } from './unpacked.ts';

/** In bytes. */
const MAX_LIST = 64 * 1024 * 1024;
const MAX_ACCOUNTS = 16 * 1024 * 1024;

/** Where Nix's own tools look for what a new store is registered from. */
const REGISTRATION = '/nix-path-registration';

/**
 * Returns the tree that declarations make together. Contents of files are not read, except for
 * lists and accounts.
 * @throws {CONFIG_INVALID} when two declarations put something at one path, a pattern matches
 * nothing, or a name of a user is not known
 * @throws {FILE_MISSING} when a source is not there
 * @throws {TREE_MALFORMED} when a tar file is damaged
 */
export function buildTree(
  contents: readonly Contents[],
  settings: TreeSettings,
  disk: Disk,
  reading: TreeReading = {},
): Tree {
  const draft = new Draft(settings.time);
  const { readXattrs, requireTrusted } = reading;
  const trusted = new Set<number>();
  for (const [index, declaration] of contents.entries()) {
    const placing = { draft, settings, disk, readXattrs, requireTrusted, trusted };
    put(declaration, describe(declaration, index), placing);
  }
  const accounts = {
    user: parseAccounts(textAt(draft, ACCOUNT_FILES.user, disk)),
    group: parseAccounts(textAt(draft, ACCOUNT_FILES.group, disk)),
  };
  return draft.tree((name, kind) => accountNumber(name, kind, accounts[kind]));
}

/** How each kind of declaration is put into a draft. */
const PUT: {
  readonly [Kind in Contents['kind']]: (
    declaration: Extract<Contents, { kind: Kind }>,
    by: string,
    placing: Placing,
  ) => void;
} = {
  copy: copyInto,
  tar: unpackInto,
  text(declaration, by, { draft }) {
    const bytes = new TextEncoder().encode(declaration.text);
    const file = { ...plainFile(bytes.length), ...(bytes.length > 0 && { content: { bytes } }) };
    draft.put(declaration.target, owned(file, declaration), by);
  },
  directory(declaration, by, { draft }) {
    draft.put(declaration.target, owned(plainDirectory(0), declaration), by);
  },
  link({ target, to }, by, { draft }) {
    draft.put(target, { ...plainFile(0), kind: 'link', mode: 0o777, target: to }, by);
  },
  closure({ list, registration, target }, by, placing) {
    placing.requireTrusted?.(list);
    for (const path of storePaths(list, placing.disk)) {
      const place = target === undefined ? path : join(target, basename(path));
      copyInto({ kind: 'copy', source: path, target: place }, by, placing);
    }
    if (registration === undefined) return;
    copyInto({ kind: 'copy', source: registration, target: REGISTRATION }, by, placing);
  },
};

function put<Kind extends Contents['kind']>(
  declaration: Extract<Contents, { kind: Kind }>,
  by: string,
  placing: Placing,
): void {
  PUT[declaration.kind as Kind](declaration, by, placing);
}

function describe(declaration: Contents, index: number): string {
  const what =
    declaration.kind === 'closure'
      ? declaration.list
      : 'source' in declaration
        ? declaration.source
        : declaration.target;
  return `contents ${index + 1} (${declaration.kind} ${what})`;
}

function plainFile(size: number): DraftNode {
  return { kind: 'file', mode: 0o644, uid: 0, gid: 0, modified: 0, size, xattrs: [] };
}

function storePaths(list: string, disk: Disk): readonly string[] {
  const lines = new TextDecoder().decode(disk.read(list, MAX_LIST)).split('\n');
  const paths = lines.map((line) => line.trim()).filter((line) => line !== '');
  const bad = paths.find((path) => !path.startsWith('/'));
  if (bad !== undefined) {
    const shown = JSON.stringify(bad.slice(0, 200));
    throw new EspError(
      'CONFIG_INVALID',
      `${list}: expected absolute paths, one a line, got ${shown}`,
      {
        hint: 'name the file store-paths of closureInfo, or what nix-store --query --requisites prints',
      },
    );
  }
  return [...new Set(paths)];
}

/** Returns the text of a file of the tree, or nothing where it is absent or no file. */
function textAt(draft: Draft, path: string, disk: Disk): string {
  const content = draft.node(path)?.content;
  if (content === undefined) return '';
  if ('bytes' in content) return new TextDecoder().decode(content.bytes);
  const { size = 0 } = draft.node(path) ?? {};
  using file = disk.open(content.path);
  return new TextDecoder().decode(file.read(content.offset, Math.min(size, MAX_ACCOUNTS)));
}
