/** How a machine lives: one run after another, each on what the one before left. */
import { type Ran, run, type Tree, type World } from './a-world.ts';
import { type Life, startTree } from './any-world.ts';
import { bootable, idOf } from './truths.ts';

/** One run in a life: the machine, the ESP before it, and what it did. */
export interface Chapter {
  readonly world: World;
  readonly before: Tree;
  readonly ran: Ran;
}

/** Lives a life, chapter by chapter. */
export async function* live({ start, moments }: Life): AsyncGenerator<Chapter> {
  let before = startTree(start);
  for (const { selected, ...moment } of moments) {
    const world = { ...moment, selected: pick(before, selected) };
    const ran = await run(world, before);
    yield { world, before, ran };
    before = ran.tree;
  }
}

/** The ID of one of the entries that boot. */
function pick(tree: Tree, index: number | undefined): string | undefined {
  const paths = index === undefined ? [] : bootable(tree);
  const path = paths[(index ?? 0) % Math.max(1, paths.length)];
  return path === undefined ? undefined : idOf(path);
}

/** Clusters that a plan may count once too often: of directories, and of names in them. */
const SLACK = 16;

/** Whether a run left something out, or hardly a cluster free: the next may then choose otherwise. */
export function isTight({ clusterSize, reserve }: World, { plan }: Ran): boolean {
  if (!plan) return true;
  const { space, leftOut } = plan;
  const spare = Math.min(space.free - space.peak, space.after - reserve);
  return spare < SLACK * clusterSize || leftOut.some(({ because }) => because.includes('space'));
}
