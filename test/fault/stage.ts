/** A scenario that can be played again and again: its world, its ESP before, and what is right after. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import type { Context } from '../../src/context.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError, explain } from '../../src/error.ts';
import { MAIN } from '../command/a-machine.ts';
import { makeWorld, type Scenario } from '../crash/scenario.ts';
import { smallPayload, type World } from '../crash/world.ts';
import { partOf } from '../property/truths.ts';
import { sized } from './sized-disk.ts';

/** Files by path with the SHA-256 of their content. */
export type Tree = ReadonlyMap<string, string>;

/** How a run ended. An error that is not ours has status 70; a run that was killed has none. */
export interface Ended {
  readonly status: number | undefined;
  readonly message: string;
}

/** A scenario, ready to be played. */
export interface Stage {
  readonly scenario: Scenario;
  readonly world: World;
  /** The ESP before the run. */
  readonly before: Tree;
  /** The ESP after a run that nothing disturbs. */
  readonly right: Tree;
  /** Bytes that are free on the ESP before the run, where there are not enough for everything. */
  readonly free: number | undefined;
  /** A copy of the ESP before the run. */
  readonly pristine: string;
  /** Digests of files that were damaged before the run. */
  readonly damaged: ReadonlySet<string>;
  /** The files that a Type #1 entry of ours names, by its path. */
  readonly references: ReadonlyMap<string, readonly string[]>;
  /** The path of the entry that boots next after a run that nothing disturbs. */
  readonly target: string | undefined;
}

/** What a run that did its work ends with. */
export const DONE: readonly (number | undefined)[] = [0, 5];

/** An entry of ours. */
export const ENTRY = /^(EFI\/Linux|loader\/entries)\/nixos-generation-[^/]*\.(efi|conf)$/;

/** Prepares a scenario below `root`, which does not exist yet. */
export async function setStage(scenario: Scenario, root: string): Promise<Stage> {
  const world = await makeWorld(scenario, root, smallPayload());
  age(root);
  const pristine = join(root, 'pristine');
  fs.cpSync(world.esp, pristine, { recursive: true });
  const draft: Stage = {
    scenario,
    world,
    before: treeOf(world.esp),
    right: new Map(),
    free: scenario.free?.(world),
    pristine,
    damaged: new Set(),
    references: new Map(),
    target: undefined,
  };
  const ended = await play(draft);
  assert.ok(DONE.includes(ended.status), ended.message);
  const right = treeOf(world.esp);
  const paths = [...right.keys()];
  const named = /^(?:preferred|default) (.*)$/m.exec(read(world.esp, 'loader/loader.conf'))?.[1];
  const next = named?.replace('*', '');
  return {
    ...draft,
    right,
    damaged: damagedIn(draft, world.esp, right),
    references: new Map([...referencesIn(pristine), ...referencesIn(world.esp)]),
    target: paths.find((path) => ENTRY.test(path) && uncounted(path).endsWith(`/${next}`)),
  };
}

/** An entry's name without its boot counter (BLS §Boot counting). */
const uncounted = (path: string) => path.replace(/\+\d+(-\d+)?(?=\.\w+$)/, '');

const read = (esp: string, path: string) => fs.readFileSync(join(esp, path), 'utf8');

function referencesIn(esp: string): [string, string[]][] {
  const entries = [...treeOf(esp).keys()].filter(
    (path) => ENTRY.test(path) && path.endsWith('.conf'),
  );
  return entries.map((path) => {
    const named = read(esp, path).matchAll(/^(?:linux|initrd) \/(.*)$/gm);
    const files = [...named].map((match) => match[1] ?? '');
    return [path, files.filter((file) => !IMAGE.test(file))];
  });
}

/** Files whose name says what they hold, and hold something else than afterwards; and loaders cut short. */
function damagedIn({ before, pristine }: Stage, esp: string, right: Tree): Set<string> {
  const isCut = (path: string) => {
    const [old, whole] = [pristine, esp].map((root) => fs.readFileSync(join(root, path)));
    return whole?.subarray(0, old?.length).equals(old ?? whole) === true;
  };
  const changed = [...before].filter(
    ([path, digest]) => right.get(path) !== digest && right.has(path),
  );
  const named = /-[a-z2-7]{52}\./;
  return new Set(
    changed.filter(([path]) => named.test(path) || isCut(path)).map(([, digest]) => digest),
  );
}

/** Puts the ESP back as it was, and forgets what runs remember. */
export function reset({ world, pristine }: Stage): void {
  // Not the directory itself: something may be mounted there.
  for (const name of fs.readdirSync(world.esp)) {
    fs.rmSync(join(world.esp, name), { recursive: true, force: true });
  }
  fs.cpSync(pristine, world.esp, { recursive: true });
  fs.rmSync(join(world.root, 'cache'), { recursive: true, force: true });
}

/** Runs the action of a scenario in this process, on the ESP as it is. */
export async function play(
  stage: Stage,
  change: (disk: WritableDisk) => WritableDisk = (disk) => disk,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { scenario, world } = stage;
  const real = processContext(pathToFileURL(MAIN));
  const disk = change(stage.free === undefined ? real.disk : sized(real.disk, stage.free, stage));
  const context: Context = {
    ...real,
    disk,
    host: disk,
    environment: {
      XDG_RUNTIME_DIR: world.root,
      ESPALIER_EFIVARS: join(world.root, 'efivars'),
      ...environment,
    },
    // Not the superuser: locks then lie in the world.
    uid: real.uid || 1,
    print: () => undefined,
  };
  const args = [...scenario.action(world), ...world.onDirectory(), '--quiet'];
  try {
    return { status: await run(args, '0.0.0', context), message: '' };
  } catch (error) {
    if (error instanceof EspError) return { status: error.status, message: explain(error) };
    return { status: 70, message: error instanceof Error ? `${error.stack}` : String(error) };
  }
}

/**
 * Returns every file below a directory with its digest. Which image an entry shares with which others
 * is not told: a run that cannot read a generation leaves it out of the image that it makes, and that
 * is right. So an entry stands for its part, and the images themselves are left out.
 */
export function treeOf(directory: string): Tree {
  const files = filesOf(directory);
  const images = [...files.keys()].filter((path) => IMAGE.test(path));
  if (images.length === 0) return files;
  const wanted = [...files.keys()].filter((path) => IMAGE.test(path) || ENTRY.test(path));
  const bytes = new Map(wanted.map((path) => [path, fs.readFileSync(join(directory, path))]));
  return new Map(
    [...files].flatMap(([path, digest]) =>
      IMAGE.test(path) ? [] : [[path, partOf(bytes, path)?.digest ?? digest]],
    ),
  );
}

/** An image that entries share. */
const IMAGE = /^EFI\/nixos\/uki-[^/]*\.efi$/;

function filesOf(directory: string): Tree {
  const files = fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const sha256 = (path: string) => createHash('sha256').update(fs.readFileSync(path)).digest('hex');
  return new Map(files.map((path) => [path.slice(directory.length + 1), sha256(path)]));
}

/** Gives every file the age of those in a store: what changed a moment ago is not remembered. */
function age(root: string): void {
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) fs.utimesSync(join(entry.parentPath, entry.name), 1, 1);
  }
}
