/** Whether what a run said of a damaged ESP is so. Shares nothing with the installer. */
import { choiceOf, KNOWLEDGE, type MenuEntry, menuOf } from './boot-menu.ts';
import { certificatesOf, headersOf, isLoadable, sectionText } from './pe-section.ts';
import { differences, type FolderTree, type Tree } from './tree.ts';
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

/** loader.conf has one sector. An edit by a person hardly ever has, and stays. */
const SECTOR = 512;
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
    const isMended = previous?.verb === 'repair' && previous.status === 0;
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
      ...(isDone && !this.#starts(after, isDeep)
        ? [`it does not start what it should: ${what}`]
        : []),
      ...(isMended && isLook && verb !== 'status' && status !== 0 ? ['repair left that'] : []),
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
        return wrong ? [[path, wrong]] : [];
      }),
    );
  }

  #wrongOf(tree: FolderTree, path: string, isDeep: boolean): Wrong | undefined {
    const [found, meant] = [tree, this.#good].map(({ files }) => files.get(path));
    if (found === undefined || meant === undefined) return 'gone';
    if (found.sha256 === meant.sha256 || this.#isAsGood(tree, path)) return undefined;
    if (TEXT.test(path)) return 'text';
    if (found.size !== meant.size) return 'size';
    const [bytes, good] = [tree.read(path), this.#good.read(path)];
    const place = placeOf(bytes, good);
    const isSeen = isDeep || !DEEP.includes(place) || (isLoadable(good) && !isLoadable(bytes));
    return isSeen ? place : undefined;
  }

  /** An image with another byte behind its end, or where nobody looks, starts the same. */
  #isAsGood(tree: FolderTree, path: string): boolean {
    const [own, good] = [tree, this.#good].map((which) =>
      sectionText(which.read(path), '.cmdline'),
    );
    const isLoader = LOADERS.some((loader) => loader === path);
    const isSame = isLoader || (good !== undefined && own === good);
    return isSame && isLoadable(tree.read(path)) && this.#truth.accepts(tree, path);
  }

  /** Tells whether a run that finds nothing should have told this. */
  #isTold(path: string, wrong: Wrong, { verb, after }: Told): boolean {
    if (path === LOADER_CONF && wrong === 'text') return after.files.get(path)?.size === SECTOR;
    if (wrong !== 'gone' || verb === 'status' || verb === 'install') return true;
    // An entry that is gone leaves no trace for those that look at what is there.
    const isEntry = menuOf(this.#good).some((entry) => entry.path === path);
    const isNamed = menuOf(after).some(({ files }) => files.includes(path));
    return isNamed || (!isEntry && !path.startsWith('EFI/nixos/'));
  }

  /** Tells whether a copy of the loader starts an entry that is whole, with all that this names. */
  #starts(tree: FolderTree, isDeep: boolean): boolean {
    const isFit = (path: string) => this.#wrongOf(tree, path, isDeep) === undefined;
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

/** Returns in which part of a file the first difference of two equally long ones lies. */
function placeOf(found: Uint8Array, meant: Uint8Array): Wrong {
  const differs = (from: number, to: number) =>
    Buffer.compare(found.subarray(from, to), meant.subarray(from, to)) !== 0;
  const signature = certificatesOf(meant);
  if (signature && differs(signature.at, meant.length)) return 'signature';
  return differs(0, headersOf(meant)) ? 'headers' : 'inside';
}
