/** What must be true of an ESP after a run that something disturbed: judged by digests alone. */
import { ENTRY, type Ended, type Stage, type Tree } from './stage.ts';

/** Names that mean nothing to a boot loader. */
const TEMPORARY = /(^|\/)\.espalier-\d+-\d+\.tmp$|^loader\/espalier-settings\.conf$/;
const LOADERS = ['EFI/systemd/systemd-bootx64.efi', 'EFI/BOOT/BOOTX64.EFI'];
const LOADER_CONF = 'loader/loader.conf';

/** A disturbed run: where it took place, how it ended, and what it left. */
interface Disturbed {
  readonly stage: Stage;
  readonly ended: Ended;
  readonly now: Tree;
}

/** Every promise about such a run, and whether it was kept. */
const PROMISES: Readonly<Record<string, (run: Disturbed) => boolean>> = {
  'an entry boots, if one did': ({ stage, now }) =>
    bootable(stage.before, stage).length === 0 || bootable(now, stage).length > 0,
  'what boots before and after boots in between': ({ stage, now }) => {
    const booting = new Set(bootable(now, stage));
    const after = new Set(bootable(stage.right, stage));
    return bootable(stage.before, stage).every((path) => booting.has(path) || !after.has(path));
  },
  'a boot loader is whole, if one was': ({ stage, now }) =>
    loads(now, stage) || !loads(stage.before, stage),
  'no file is anything but old or new': ({ stage: { before, right }, now }) =>
    [...now].every(
      ([path, digest]) =>
        TEMPORARY.test(path) || before.get(path) === digest || right.get(path) === digest,
    ),
  'what was to stay is there': ({ stage: { before, right }, now }) =>
    [...before].every(([path, digest]) => right.get(path) !== digest || now.get(path) === digest),
  'it is no bug, and nobody’s misuse': ({ ended }) => ended.status !== 2 && ended.status !== 70,
  'it says that all is done only when it is': ({ stage, ended, now }) =>
    ended.status !== 0 || isSame(now, stage.right),
  'it says that the target boots only when it does': ({
    stage: { target, ...stage },
    ended,
    now,
  }) =>
    ended.status !== 5 ||
    (now.get(LOADER_CONF) === stage.right.get(LOADER_CONF) &&
      (target === undefined || bootable(now, { ...stage, target }).includes(target))),
  'it says that nothing was touched only when nothing was': ({ stage, ended, now }) =>
    (ended.status !== 3 && ended.status !== 4) || isSame(now, stage.before),
};

/** Returns the promises that a disturbed run did not keep. */
export function broken(run: Disturbed): string[] {
  return Object.entries(PROMISES).flatMap(([promise, isKept]) => (isKept(run) ? [] : [promise]));
}

/** The entries of ours in a tree of which every file is whole. */
function bootable(tree: Tree, stage: Stage): string[] {
  return [...tree.keys()].filter(
    (path) =>
      ENTRY.test(path) &&
      [path, ...(stage.references.get(path) ?? [])].every((file) => isWhole(tree, file, stage)),
  );
}

function loads(tree: Tree, stage: Stage): boolean {
  return LOADERS.some((path) => isWhole(tree, path, stage));
}

/** A file is whole when it has the content that a run gave it that nothing disturbed. */
function isWhole(tree: Tree, path: string, { before, right, damaged }: Stage): boolean {
  const digest = tree.get(path);
  if (digest === undefined || damaged.has(digest)) return false;
  return before.get(path) === digest || right.get(path) === digest;
}

/** Whether two trees hold the same files. */
export function isSame(a: Tree, b: Tree): boolean {
  return a.size === b.size && [...a].every(([path, digest]) => b.get(path) === digest);
}
