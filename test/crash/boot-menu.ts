/** What systemd-boot would list and start, as its documentation says (Boot Loader Specification, loader.conf(5)). */
import { sectionText } from './pe-section.ts';
import { type Tree, textOf } from './tree.ts';
import { compare, compareVersions } from './version-order.ts';

/** One line of the menu. `path` is the entry's own file, `files` are those that it needs beside it. */
export interface MenuEntry {
  readonly id: string;
  readonly path: string;
  readonly files: readonly string[];
  readonly sortKey: string;
  readonly machineId: string;
  readonly version: string;
  /** Absent for an entry that is not counted (BLS §Boot counting). */
  readonly tries?: Tries;
}

/** How often an entry may still be tried, and was in vain. None left: it is bad. */
interface Tries {
  readonly left: number;
  readonly done: number;
}

/** Whether a loader knows `preferred`, which systemd-boot does since 260. */
export type Knowledge = 'default' | 'preferred';
export const KNOWLEDGE: readonly Knowledge[] = ['default', 'preferred'];

const menus = new WeakMap<Tree, readonly MenuEntry[]>();

/** Returns the menu, top line first. */
export function menuOf(tree: Tree): readonly MenuEntry[] {
  const known = menus.get(tree) ?? readMenu(tree);
  menus.set(tree, known);
  return known;
}

function readMenu(tree: Tree): MenuEntry[] {
  const entries = [...tree.files.keys()].flatMap((path) => {
    const [, name = ''] = /^(?:loader\/entries|EFI\/Linux)\/([^/]+)$/i.exec(path) ?? [];
    if (/^(?:\.|auto-|$)/i.test(name)) return [];
    const entry = /\.conf$/i.test(name)
      ? type1(tree, path, name)
      : /\.efi$/i.test(name)
        ? type2(tree, path, name)
        : undefined;
    return entry ?? [];
  });
  return entries.sort(menuOrder);
}

/** Returns the entry that starts when nobody touches a key and no EFI variable says otherwise. */
export function choiceOf(tree: Tree, knowledge: Knowledge = 'default'): MenuEntry | undefined {
  const menu = menuOf(tree);
  const lines = linesOf(textOf(tree, 'loader/loader.conf') ?? '');
  const named = (key: Knowledge) => {
    const pattern = lastOf(lines, key)?.toLowerCase();
    return pattern && menu.find(({ id }) => glob(pattern).test(id.toLowerCase()));
  };
  const preferred = knowledge === 'preferred' ? named('preferred') : undefined;
  return (preferred && !isBad(preferred) ? preferred : named('default')) || menu[0];
}

function isBad({ tries }: MenuEntry): boolean {
  return tries?.left === 0;
}

const COUNTED = /^(.*)\+(\d+)(?:-(\d+))?(\.\w+)$/;

/** Returns the ID that a file name stands for, without the counter in it, and the counter. */
function counted(name: string): Pick<MenuEntry, 'id' | 'tries'> {
  const [, base, left, done = '0', suffix] = COUNTED.exec(name.toLowerCase()) ?? [];
  if (base === undefined) return { id: name.toLowerCase() };
  return { id: `${base}${suffix}`, tries: { left: Number(left), done: Number(done) } };
}

/** BLS §Type #1. An entry whose program is not there is not listed; a missing initrd is noticed later. */
function type1(tree: Tree, path: string, name: string): MenuEntry | undefined {
  const lines = linesOf(textOf(tree, path) ?? '');
  const programs = lines.filter(([key]) => key === 'linux' || key === 'efi');
  const named = [...programs, ...lines.filter(([key]) => key === 'initrd')];
  const files = named.map(([, file]) => file.replace(/^\/+/, ''));
  const program = files[0];
  if (programs.length !== 1 || program === undefined || !tree.files.has(program)) return undefined;
  return {
    ...counted(name),
    path,
    files,
    sortKey: lastOf(lines, 'sort-key') ?? '',
    machineId: lastOf(lines, 'machine-id') ?? '',
    version: lastOf(lines, 'version') ?? '',
  };
}

/** BLS §Type #2: an image tells about itself in `.osrel`, and without it is not listed. */
function type2(tree: Tree, path: string, name: string): MenuEntry | undefined {
  const bytes = tree.read(path);
  const release = sectionText(bytes, '.osrel');
  if (release === undefined) return undefined;
  const lines = linesOf(release, '=');
  const first = (...keys: readonly string[]) =>
    keys.map((key) => lastOf(lines, key)).find((value) => value !== undefined && value !== '');
  if (first('PRETTY_NAME', 'IMAGE_ID', 'NAME', 'ID') === undefined) return undefined;
  return {
    ...counted(name),
    path,
    files: namedBy(bytes),
    sortKey: first('IMAGE_ID', 'ID') ?? '',
    machineId: '',
    version: first('IMAGE_VERSION', 'VERSION', 'VERSION_ID', 'BUILD_ID') ?? '',
  };
}

/** A thin image names its kernel and its initrd, with their digests in sections of their own. */
function namedBy(bytes: Uint8Array): string[] {
  if (sectionText(bytes, '.linuxh') === undefined) return [];
  return ['.linux', '.initrd'].map((name) =>
    (sectionText(bytes, name) ?? '').replaceAll('\\', '/').replace(/^\/+/, ''),
  );
}

/**
 * Bad entries come last. Before them those with a sort key come first and are sorted by it; the rest by
 * their IDs, the newest first; those of one ID by their tries.
 */
function menuOrder(a: MenuEntry, b: MenuEntry): number {
  return (
    Number(isBad(a)) - Number(isBad(b)) ||
    Number(a.sortKey === '') - Number(b.sortKey === '') ||
    (a.sortKey === '' ? 0 : bySortKey(a, b)) ||
    compareVersions(b.id, a.id) ||
    (b.tries?.left ?? 0) - (a.tries?.left ?? 0) ||
    (a.tries?.done ?? 0) - (b.tries?.done ?? 0)
  );
}

function bySortKey(a: MenuEntry, b: MenuEntry): number {
  return (
    compare(a.sortKey, b.sortKey) ||
    compare(a.machineId, b.machineId) ||
    compareVersions(b.version, a.version)
  );
}

type Line = readonly [key: string, value: string];

/** Lines of keys and values; what follows a NUL is not read, and one pair of quotes is taken away. */
function linesOf(text: string, separator?: '='): Line[] {
  return (text.split('\0')[0] ?? '').split(/[\n\r]/).flatMap((raw): Line[] => {
    const line = raw.trim();
    const match = (separator ? /^([^=]+)=(.*)$/ : /^(\S+)[ \t]+(.*)$/).exec(line);
    if (line.startsWith('#') || !match?.[1]) return [];
    return [[match[1], (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2')]];
  });
}

function lastOf(lines: readonly Line[], key: string): string | undefined {
  return lines.findLast(([other]) => other === key)?.[1];
}

function glob(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
