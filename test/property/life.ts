/** How a machine lives: one run after another, each on what the one before left. */
import { type Ran, run, type Tree, type World } from './a-world.ts';
import { type Life, type Moment, startTree } from './any-world.ts';
import { bootable, idOf, isOurs } from './truths.ts';

/** One run in a life: the machine, the ESP before it, and what it did. */
export interface Chapter {
  readonly world: World;
  readonly before: Tree;
  readonly ran: Ran;
}

/** Lives a life, chapter by chapter. */
export async function* live({ start, moments }: Life): AsyncGenerator<Chapter> {
  let before = startTree(start);
  for (const { world, selected, damaged, tried } of moments) {
    before = recounted(cutShort(before, damaged), tried);
    const selectedId = pick(bootable(before), selected);
    const now = { ...world, selected: selectedId === undefined ? undefined : idOf(selectedId) };
    const ran = await run(now, before);
    yield { world: now, before, ran };
    before = ran.tree;
  }
}

function pick(paths: readonly string[], index: number | undefined): string | undefined {
  return index === undefined ? undefined : paths[index % Math.max(1, paths.length)];
}

/** Returns a tree in which half of a file is missing: of an entry, a kernel or a loader. */
function cutShort(tree: Tree, index: number | undefined): Tree {
  const path = pick([...tree.keys()].filter(isOurs), index);
  const bytes = path === undefined ? undefined : tree.get(path);
  if (path === undefined || bytes === undefined || bytes.length <= 512) return tree;
  return new Map([...tree, [path, bytes.slice(0, bytes.length / 2)]]);
}

/** Returns a tree in which an entry has another counter: as systemd-boot and systemd-bless-boot rename it. */
function recounted(tree: Tree, tried: Moment['tried']): Tree {
  const path = tried && pick(bootable(tree), tried.index);
  if (path === undefined) return tree;
  const renamed = path.replace(/(\+\d+(-\d+)?)?(\.[a-z]+)$/, `${tried?.counter}$3`);
  return new Map([...tree].map(([name, bytes]) => [name === path ? renamed : name, bytes]));
}

/** Clusters that a plan may count once too often: of directories, and of names in them. */
const SLACK = 4;

/** Whether a run left something out, or hardly a cluster free: the next may then choose otherwise. */
export function isTight({ clusterSize, reserve }: World, { plan }: Ran): boolean {
  if (!plan) return true;
  const { space, leftOut } = plan;
  const spare = Math.min(space.free - space.peak, space.after - reserve);
  return spare < SLACK * clusterSize || leftOut.some(({ because }) => because.includes('space'));
}
