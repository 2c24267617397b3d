/** What is whole on an ESP, decided by other people's tools from the trees before and after a run. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { attempt } from '../lab/run.ts';
import { choiceOf, KNOWLEDGE, type MenuEntry, menuOf } from './boot-menu.ts';
import { profileText, withoutSignature } from './pe-section.ts';
import { differences, type FolderTree, type Tree, textOf } from './tree.ts';
import type { World } from './world.ts';

export const LOADERS = ['EFI/systemd/systemd-bootx64.efi', 'EFI/BOOT/BOOTX64.EFI'] as const;
/** The loader before these, which firmware starts where the first of them fails. */
export const PREVIOUS = 'EFI/systemd/systemd-boot-fallbackx64.efi';
export const ALL_LOADERS = [...LOADERS, PREVIOUS] as const;
export const LOADER_CONF = 'loader/loader.conf';
/** What a loader.conf is to become, for as long as it is being replaced. */
export const KEPT_SETTINGS = 'loader/espalier-settings.conf';
/** The entry of the scenario that declares extra files. */
export const EXTRA_ENTRY = 'loader/entries/extra.conf';

/**
 * What FAT itself makes unavoidable where a fixed name gets new content. Each is harmless by order or by
 * a second copy, and is counted: how many moments of all it lasts.
 */
export type Window =
  /** One copy of the loader cannot be read; the other one is whole. */
  | 'one-loader'
  /** loader.conf is not there or empty; the menu's own order chooses an entry that is whole. */
  | 'no-settings'
  /** A foreign loader.conf is cut while it is replaced; what it said is in a whole file beside it. */
  | 'torn-settings'
  /** An entry that this run removes is listed while its clusters are free already; another one starts. */
  | 'dying-entry'
  /** An extra file gets new content under the name that a person gave it; the entry that names it waits. */
  | 'replaced-extra'
  /** A temporary name has the clusters of the final one too: which of them goes is for fsck.fat to say. */
  | 'two-names'
  /** A lost sector hides names of this run from firmware, until the next run. */
  | 'hidden-names'
  /**
   * A directory grew, and its chain leads into a cluster that is still free: firmware refuses the whole
   * directory, and so what is in it, until fsck.fat has run. Only where a disk reorders within an epoch.
   */
  | 'grown-directory'
  /** A directory grew, and what its new cluster held before is read as names of files. */
  | 'stray-names'
  /** A part of a long name that nothing removes; it is no file. */
  | 'name-fragment';

/** What fsck.fat makes of clusters that no file has, and of names that cannot be. */
const RECOVERED = /(^|\/)FSCK\d{4}\.(REC|\d{3})$/;

/** Names that belong to the installer; everything else is somebody else's. */
const OURS = [
  /^EFI\/Linux\/nixos-generation-\d+-[\w.-]*[a-z2-7]{52}(\+\d+(-\d+)?)?\.efi$/,
  /^loader\/entries\/nixos-generation-\d+-[\w.-]*[a-z2-7]{52}(\+\d+(-\d+)?)?\.conf$/,
  /^EFI\/nixos\/(kernel|initrd|devicetree|uki)-.+-[a-z2-7]{52}\.efi$/,
  /^EFI\/nixos\/extra-files-[a-z2-7]{52}\.txt$/,
  // Of the scenario that declares these.
  /^(EFI\/extra\/|loader\/entries\/extra\.conf$)/,
  /(^|\/)\.espalier-\d+-\d+\.tmp$/,
  /^loader\/(loader\.conf|espalier-settings\.conf|entries\.srel)$/,
  ...ALL_LOADERS.map((path) => new RegExp(`^${path.replaceAll('.', '\\.')}$`)),
];

export function isForeign(path: string): boolean {
  return !OURS.some((pattern) => pattern.test(path));
}

/** What a run that nobody interrupted found and left, and which of its files are whole. */
export class Truth {
  readonly before: Tree;
  readonly after: Tree;
  /** Digests of images, blobs and loaders that other people's tools accept. */
  readonly #whole: ReadonlySet<string>;
  readonly #tools: Tools;

  /** @throws {AssertionError} when the uninterrupted run left anything that is not whole */
  constructor(world: World, before: FolderTree, after: FolderTree) {
    this.before = before;
    this.after = after;
    this.#tools = new Tools(world, before);
    this.#whole = new Set(
      [before, after].flatMap((tree) =>
        [...tree.files].flatMap(([path, { sha256 }]) => (this.accepts(tree, path) ? [sha256] : [])),
      ),
    );
    assert.deepEqual(this.unwhole(after), [], 'every entry is whole after the run');
    assert.ok(this.boots(after), 'what is chosen after the run is whole');
    for (const path of LOADERS) assert.ok(this.isWhole(after, path), path);
  }

  /** Tells whether other people's tools accept a file of any tree as one of this world. */
  accepts(tree: FolderTree, path: string): boolean {
    return this.#tools.accept(tree, path);
  }

  /** Tells whether a file is there with content that is known to be whole. */
  isWhole(tree: Tree, path: string): boolean {
    return this.#whole.has(tree.files.get(path)?.sha256 ?? '');
  }

  /** Tells whether an entry and all that it names is whole. */
  isWholeEntry(tree: Tree, { path, files }: MenuEntry): boolean {
    return [path, ...files].every((file) => this.isWhole(tree, file));
  }

  /** Returns the paths of the entries that are whole. */
  bootable(tree: Tree): string[] {
    return menuOf(tree).flatMap((entry) => (this.isWholeEntry(tree, entry) ? [entry.path] : []));
  }

  /** Returns the paths of entries that are listed and would not start what they should. */
  unwhole(tree: Tree): string[] {
    return menuOf(tree).flatMap((entry) => (this.isWholeEntry(tree, entry) ? [] : [entry.path]));
  }

  /**
   * Compares what another run left with what the uninterrupted one did; `from` is what it began with.
   * What no run can mend is no difference but a window.
   */
  endOf(tree: Tree, from: Tree = tree): { different: string[]; windows: Window[] } {
    const windows = new Set<Window>();
    const different = differences(tree, this.after).filter((path) => {
      const excuse = excuses.find(({ holds }) => holds(path, from, this));
      if (excuse?.window) windows.add(excuse.window);
      return excuse === undefined;
    });
    return { different, windows: [...windows] };
  }

  /** Tells whether what starts by itself is whole, whatever the loader knows. */
  boots(tree: Tree): boolean {
    return KNOWLEDGE.every((knowledge) => {
      const choice = choiceOf(tree, knowledge);
      return choice !== undefined && this.isWholeEntry(tree, choice);
    });
  }
}

/** What a long name is called where its long part is not read (FAT §Short names): the next run removes it. */
const SHORT_NAME = /\/[^/]*~\d\.\w{3}$/;

/** Why a file may be left that the uninterrupted run would not have left, or be missing. */
interface Excuse {
  readonly window?: Window;
  readonly holds: (path: string, from: Tree, truth: Truth) => boolean;
}

const excuses: readonly Excuse[] = [
  { holds: (path) => RECOVERED.test(path) },
  {
    window: 'two-names',
    holds(path, { files }) {
      const content = files.get(path)?.sha256;
      const isTwin = [...files].some(([other, { sha256 }]) => other !== path && sha256 === content);
      return path.endsWith('.tmp') && isTwin;
    },
  },
  {
    window: 'stray-names',
    holds: (path, { files }, { before, after }) =>
      isForeign(path) &&
      !SHORT_NAME.test(path) &&
      files.has(path) &&
      ![before, after].some((known) => known.files.has(path)),
  },
];

/** Other people's tools, and the files that everything on the ESP was made of. */
class Tools {
  readonly #world: World;
  readonly #store: ReadonlySet<string>;
  /** Of programs, but for what a signature changes. */
  readonly #bare: ReadonlySet<string>;
  readonly #loaders: readonly string[];
  readonly #certificates: readonly string[];
  readonly #verdicts = new Map<string, boolean>();
  readonly #before: Tree;

  constructor(world: World, before: Tree) {
    this.#world = world;
    this.#before = before;
    const sources = ['nix/store', 'sources'].flatMap((name) => filesBelow(join(world.root, name)));
    this.#store = new Set(sources.map(digestOfFile));
    this.#bare = new Set(
      sources.flatMap((path) => withoutSignature(readFileSync(path)) ?? []).map(digest),
    );
    this.#loaders = (['252', '254', '257'] as const).map((version) =>
      digest(world.payload.loader(version)),
    );
    this.#certificates = filesBelow(join(world.root, 'keys')).filter((path) =>
      path.endsWith('db.pem'),
    );
  }

  accept(tree: FolderTree, path: string): boolean {
    // What an entry boots depends on the image that it names, too.
    const image = /^linux \/(EFI\/nixos\/uki-\S+)$/m.exec(textOf(tree, path) ?? '')?.[1] ?? '';
    const key = `${tree.files.get(path)?.sha256} ${path} ${tree.files.get(image)?.sha256}`;
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = this.#judge(tree, path);
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  #judge(tree: FolderTree, path: string): boolean {
    const { sha256 = '' } = tree.files.get(path) ?? {};
    if (isForeign(path)) return this.#before.files.get(path)?.sha256 === sha256;
    if (/^EFI\/(Linux\/|nixos\/uki-)/.test(path)) return this.#isImage(join(tree.folder, path));
    if (/^EFI\/(nixos|extra)\//.test(path)) {
      return this.#store.has(sha256) || this.#isSignedKernel(join(tree.folder, path));
    }
    if (ALL_LOADERS.some((loader) => loader === path))
      return this.#isLoader(join(tree.folder, path));
    return path.startsWith('loader/entries/') && this.#isEntry(tree, path);
  }

  /** A Type #1 entry starts a system of this world. */
  #isEntry(tree: FolderTree, path: string): boolean {
    const text = textOf(tree, path) ?? '';
    const [, image = '', profile, options] =
      /^linux \/(\S+)\noptions @(\d+)\n[\s\S]*^options (.*)$/m.exec(text) ?? [];
    if (profile !== undefined) {
      const bytes = tree.files.has(image) ? tree.read(image) : nothing;
      const [id, cmdline] = ['.profile', '.cmdline'].map((name) =>
        profileText(bytes, Number(profile), name),
      );
      const isOwn = id === `ID=${basename(path).replace(/(\+[\d-]+)?\.conf$/, '')}\n`;
      return isOwn && cmdline === options && this.#startsSystem(cmdline ?? '');
    }
    const isExtra = /^title Extra \w+\nefi \/EFI\/extra\/tool\.efi\n$/.test(text);
    return isExtra || this.#startsSystem(/^options (.*)$/m.exec(text)?.[1] ?? '');
  }

  #startsSystem(cmdline: string): boolean {
    const init = /(?:^| )init=(\S+)/.exec(cmdline)?.[1] ?? '';
    return init.startsWith(`${this.#world.root}/nix/store/`) && statSync(init).isFile();
  }

  /** An image holds a kernel and an initrd of the store, starts a system of this world, and is signed. */
  #isImage(path: string): boolean {
    const section = (name: string) => sectionOf(path, name);
    const cmdline = section('.cmdline');
    const isOfStore = ['.linux', '.initrd'].every((name) => {
      // A thin image names them, and has their digests beside.
      const named = section(`${name}h`);
      const content = named ? Buffer.from(named).toString('hex') : section(name);
      return this.#store.has(typeof content === 'string' ? content : digest(content ?? nothing));
    });
    if (!cmdline) return false;
    return (
      isOfStore && this.#startsSystem(new TextDecoder().decode(cmdline)) && this.#isSigned(path)
    );
  }

  /** A signed kernel is one of the store once its signature is taken away. */
  #isSignedKernel(path: string): boolean {
    const bare = withoutSignature(readFileSync(path));
    return bare !== undefined && this.#bare.has(digest(bare)) && this.#isSigned(path);
  }

  #isLoader(path: string): boolean {
    if (this.#certificates.length === 0) return this.#loaders.includes(digestOfFile(path));
    return sectionOf(path, '.sdmagic') !== undefined && this.#isSigned(path);
  }

  /** Where there are keys, one of them has signed every byte. */
  #isSigned(path: string): boolean {
    if (this.#certificates.length === 0) return true;
    return this.#certificates.some(
      (certificate) => attempt('sbverify', ['--cert', certificate, path]).status === 0,
    );
  }
}

const nothing = new Uint8Array();

/** Returns the content of a PE section as objcopy sees it, or undefined when it sees none. */
function sectionOf(path: string, name: string): Uint8Array | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-section-'));
  try {
    const output = join(folder, 'section');
    const dump = ['--dump-section', `${name}=${output}`, path, join(folder, 'copy')];
    const isDumped = attempt('objcopy', dump).status === 0 && existsSync(output);
    return isDumped ? readFileSync(output) : undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function filesBelow(folder: string): string[] {
  const exists = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!exists) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function digestOfFile(path: string): string {
  return digest(readFileSync(path));
}

function digest(bytes: Uint8Array): string {
  return hash('sha256', bytes);
}
