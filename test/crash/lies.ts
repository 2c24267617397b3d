/** Whether what a run said of a damaged ESP is so. Shares nothing with the installer. */
import { choiceOf, KNOWLEDGE, type MenuEntry, menuOf } from './boot-menu.ts';
import { certificatesOf, headersOf, isLoadable, sectionText } from './pe-section.ts';
import { differences, type FolderTree, type Tree, textOf } from './tree.ts';
import { isForeign, LOADER_CONF, LOADERS, type Truth } from './truth.ts';

/** The verbs that are asked; only the last two change anything. */
export const VERBS = ['status', 'verify', 'verify --deep', 'install', 'repair'] as const;
export type Verb = (typeof VERBS)[number];

/** A run: what lay there before and after it, and how it ended. */
export interface Told {
  readonly verb: Verb;
  readonly status: number;
  readonly before: Tree;
  readonly after: FolderTree;
}

/**
 * Where a file differs from what it should be. What is `inside` a file, or in the `headers` of one that
 * would be loaded all the same, is found by those that read every byte.
 */
type Wrong = 'gone' | 'size' | 'text' | 'signature' | 'headers' | 'inside';
const DEEP: readonly Wrong[] = ['headers', 'inside'];

const SECTOR = 512;
/** An image that generations share, and what an entry says of the one that it shares. */
const SHARED_IMAGE = /^EFI\/nixos\/uki-/;
const SHARES = /^linux \/EFI\/nixos\/uki-\S+\noptions @\d+$/m;
const TEXT = /\.(conf|srel|txt)$/;

/** Holds runs against a tree that is whole. */
export class LieDetector {
  readonly #truth: Truth;
  readonly #good: Tree;

  constructor(truth: Truth) {
    this.#truth = truth;
    this.#good = truth.after;
  }

  /** Returns what a run said or did that is not so, or the run before it. */
  lies(told: Told, previous?: Told): readonly string[] {
    const { verb, status, before, after } = told;
    const isLook = verb !== 'install' && verb !== 'repair';
    const isDeep = verb === 'verify --deep' || verb === 'repair';
    const touched = differences(before, after).filter(
      (path) => isLook || [2, 3, 4].includes(status) || isForeign(path),
    );
    const wrongs = this.#wrongs(after, isDeep);
    const what = [...wrongs].map(([path, wrong]) => `${path}: ${wrong}`).join(', ');
    const silent = [...wrongs].filter(([path, wrong]) => this.#isTold(path, wrong, told));
    const isDone = status === 0 || (status === 5 && verb !== 'status');
    return [
      ...(touched.length > 0 ? [`touched ${touched.join(', ')}`] : []),
      ...([0, 1, 3, 4, 5].includes(status) ? [] : [`ended with ${status}`]),
      ...(status === 0 && silent.length > 0 ? [`all is well, with ${what}`] : []),
      ...(isDone && !this.#starts(after, isDeep, status === 5 && verb !== 'repair')
        ? [`it does not start what it should: ${what}`]
        : []),
      ...(hasLeft(told, previous) ? ['repair left that'] : []),
      ...(isDone && verb === 'install' && !this.#startsMeant(after)
        ? ['another entry starts']
        : []),
    ];
  }

  /** Returns every file of the installer's that is not as it should be. */
  #wrongs(tree: FolderTree, isDeep: boolean): Map<string, Wrong> {
    return new Map(
      [...this.#good.files.keys()].flatMap((path): [string, Wrong][] => {
        const wrong = isForeign(path) ? undefined : this.#wrongOf(tree, path, isDeep);
        const isLeft = wrong === 'gone' && SHARED_IMAGE.test(path) && !isNamed(tree, path);
        return wrong && !isLeft ? [[path, wrong]] : [];
      }),
    );
  }

  #wrongOf(tree: FolderTree, path: string, isDeep: boolean): Wrong | undefined {
    const [found, meant] = [tree, this.#good].map(({ files }) => files.get(path));
    if (found !== undefined && this.#isShared(tree, path)) return undefined;
    if (found === undefined || meant === undefined) return 'gone';
    if (found.sha256 === meant.sha256 || this.#isAsGood(tree, path, isDeep)) return undefined;
    if (TEXT.test(path)) return this.#saysLess(tree, path) ? 'text' : undefined;
    const [bytes, good] = [tree.read(path), this.#good.read(path)];
    if (found.size !== meant.size) return lostSignature(bytes, good) ? 'signature' : 'size';
    return this.#wrongWithin(bytes, good, isDeep);
  }

  #wrongWithin(bytes: Uint8Array, good: Uint8Array, isDeep: boolean): Wrong | undefined {
    const place = placeOf(bytes, good);
    if (place === 'signature' && !isDeep && this.#isOfAnother(bytes)) return undefined;
    const isSeen = isDeep || !DEEP.includes(place) || (isLoadable(good) && !isLoadable(bytes));
    return isSeen ? place : undefined;
  }

  /** A person may edit loader.conf; without a timeout there is no menu. Elsewhere spaces alone may differ. */
  #saysLess(tree: Tree, path: string): boolean {
    const [own, good] = [tree, this.#good].map((which) => textOf(which, path)?.trim());
    return path === LOADER_CONF ? !/^timeout \S/m.test(own ?? '') : own !== good;
  }

  /** A generation may share another image than it did, if that is whole and its profile is the entry's own. */
  #isShared(tree: FolderTree, path: string): boolean {
    const isImage = SHARED_IMAGE.test(path) && !this.#good.files.has(path);
    const [own, good] = [tree, this.#good].map((which) => textOf(which, path)?.replace(SHARES, ''));
    const isEntry = SHARES.test(textOf(tree, path) ?? '') && own === good;
    return (isImage || isEntry) && this.#truth.accepts(tree, path);
  }

  /** A program with another byte behind its end, or where nobody looks, starts the same. */
  #isAsGood(tree: FolderTree, path: string, isDeep: boolean): boolean {
    const [bytes, meant] = [tree.read(path), this.#good.read(path)];
    const [own, good] = [bytes, meant].map((each) => sectionText(each, '.cmdline'));
    if (!isLoadable(bytes)) return false;
    const isLoader = LOADERS.some((loader) => loader === path);
    // Without a signature, nobody asks what lies behind the end, or inside.
    const isBare = isLoader && !isDeep && !certificatesOf(meant);
    if (isBare && bytes.length > meant.length && isMarked(bytes)) return true;
    const isSame =
      isLoader || path.startsWith('EFI/nixos/') || (good !== undefined && own === good);
    return isSame && this.#truth.accepts(tree, path);
  }

  /** A signature of ours over another program passes for one over this, unless that is hashed. */
  #isOfAnother(bytes: Uint8Array): boolean {
    const at = certificatesOf(bytes)?.at;
    return [...this.#good.files.keys()].some((path) => {
      const good = this.#good.read(path);
      const from = certificatesOf(good)?.at;
      return at && from && Buffer.compare(bytes.subarray(at), good.subarray(from)) === 0;
    });
  }

  /** Another program has the fallback path, as another system's may: it is told, and left alone. */
  #isAnothers(tree: Tree, path: string): boolean {
    const [bytes, good] = [tree.read(path), this.#good.read(path)];
    if (path !== LOADERS[1] || !isLoadable(bytes)) return false;
    const same = sectorsOf(good).filter((sector, at) =>
      sector.equals(sectorsOf(bytes)[at] ?? sector.subarray(1)),
    );
    return !isMarked(bytes) && same.length < sectorsOf(good).length / 2;
  }

  /** Tells whether a run that finds nothing should have told this. */
  #isTold(path: string, wrong: Wrong, { verb, after }: Told): boolean {
    if (verb !== 'install' && wrong !== 'gone' && this.#isAnothers(after, path)) return false;
    if (wrong !== 'gone' || verb === 'status' || verb === 'install') return true;
    // An entry that is gone leaves no trace for those that look at what is there.
    const isEntry = menuOf(this.#good).some((entry) => entry.path === path);
    return isNamed(after, path) || (!isEntry && !path.startsWith('EFI/nixos/'));
  }

  /** Tells whether a copy of the loader starts an entry that is whole, with all that this names. */
  #starts(tree: FolderTree, isDeep: boolean, isTold: boolean): boolean {
    const isFit = (path: string) => {
      const wrong = this.#wrongOf(tree, path, isDeep);
      // A machine without Secure Boot starts what has no signature: that was told.
      return wrong === undefined || (isTold && wrong === 'signature');
    };
    const isWhole = (entry: MenuEntry | undefined) =>
      entry !== undefined && [entry.path, ...entry.files].every(isFit);
    return (
      LOADERS.some(isFit) && KNOWLEDGE.every((knowledge) => isWhole(choiceOf(tree, knowledge)))
    );
  }

  #startsMeant(tree: Tree): boolean {
    return KNOWLEDGE.every((knowledge) => {
      const [choice, meant] = [tree, this.#good].map((which) => choiceOf(which, knowledge));
      return choice?.path === meant?.path;
    });
  }
}

/** A repair that had nothing to warn of leaves nothing that verify finds. */
function hasLeft({ verb, status }: Told, previous: Told | undefined): boolean {
  const isMended = previous?.verb === 'repair' && previous.status === 0;
  return isMended && verb.startsWith('verify') && status !== 0;
}

function isNamed(tree: Tree, path: string): boolean {
  return menuOf(tree).some(({ files }) => files.includes(path));
}

function isMarked(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).includes('LoaderInfo: systemd-boot');
}

function sectorsOf(bytes: Uint8Array): Buffer[] {
  const count = Math.ceil(bytes.length / SECTOR);
  return Array.from({ length: count }, (_, at) =>
    Buffer.from(bytes.subarray(at * SECTOR, (at + 1) * SECTOR)),
  );
}

function lostSignature(found: Uint8Array, meant: Uint8Array): boolean {
  return certificatesOf(found) === undefined && found.length === certificatesOf(meant)?.at;
}

/** Returns in which part of a file the first difference of two equally long ones lies. */
function placeOf(found: Uint8Array, meant: Uint8Array): Wrong {
  const differs = (from: number, to: number) =>
    Buffer.compare(found.subarray(from, to), meant.subarray(from, to)) !== 0;
  const signature = certificatesOf(meant);
  if (signature && differs(signature.at, meant.length)) return 'signature';
  return differs(0, headersOf(meant)) ? 'headers' : 'inside';
}
