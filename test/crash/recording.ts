/** A run of the real program in a guest, on the kernel's own vfat, with every block that it wrote. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Member, memberFrom, membersUnder } from '../lab/cpio.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { runInGuest } from '../lab/guest.ts';
import type { Parts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { usedBy } from '../support/used-by.ts';
import type { Scenario } from './scenario.ts';
import type { World } from './world.ts';
import { type DiskRequest, parseWriteLog } from './write-log.ts';

/** What was recorded. `before` and `after` are FAT images. */
export interface Recording {
  readonly scenario: Pick<Scenario, 'name' | 'action'>;
  readonly world: World;
  readonly before: string;
  readonly after: string;
  readonly requests: readonly DiskRequest[];
}

/** What a recording is made with. */
export interface Studio {
  readonly parts: Parts;
  /** The program as one file. */
  readonly bundle: string;
  /** An empty directory for images and logs. */
  readonly folder: string;
}

const MIB = 1024 * 1024;
/** Seconds; the machine is an emulated one, and others may be at work beside it. */
export const PATIENCE = 600;
const quiet = { env: { MTOOLS_SKIP_CHECK: '1' } };
const OURS = '/espalier.mjs';
const ENTRY_OF_OURS = /(^|\/)nixos-generation-/;
/** The statuses of a run that went as it should: done, or done with a warning. */
export const DONE: readonly number[] = [0, 5];

/** Returns what a guest needs to run the program on a world. */
export function membersOf(world: World, bundle: string): readonly Member[] {
  const isEsp = (path: string): boolean => `/${path}/`.startsWith(`${world.esp}/`);
  const members = membersUnder(world.root).filter(({ path }) => !isEsp(path));
  return [memberFrom(OURS.slice(1), bundle), ...members];
}

/** Returns the command by which a guest runs a scenario's action on a mounted ESP. */
export function commandOf(
  { action }: Pick<Scenario, 'action'>,
  world: World,
  esp = '/boot',
): string {
  const variables = Object.entries(world.environment).map(([name, value]) => `${name}=${value}`);
  return ['env', ...variables, 'node', OURS, ...usedBy(action(world)), '--esp', esp]
    .map((word) => `'${word}'`)
    .join(' ');
}

/** Runs a scenario's action in a guest on an ESP that holds what the world's does. */
export async function record(scenario: Scenario, world: World, studio: Studio): Promise<Recording> {
  const before = join(studio.folder, `${scenario.name}.before.img`);
  makeEsp(before, scenario, world);
  return recordOn(before, scenario, world, studio);
}

/** Runs a scenario's action in a guest on an ESP image. */
export async function recordOn(
  before: string,
  scenario: Recording['scenario'],
  world: World,
  { parts, bundle }: Studio,
): Promise<Recording> {
  const after = `${before}.after`;
  const log = `${before}.log`;
  copyFileSync(before, after);
  const [ran] = await runInGuest({
    parts,
    image: after,
    log,
    members: membersOf(world, bundle),
    commands: [commandOf(scenario, world)],
    limit: PATIENCE,
  });
  assert.ok(ran && DONE.includes(ran.status), `${scenario.name}: ${ran?.output}`);
  return { scenario, world, before, after, requests: parseWriteLog(readFileSync(log)) };
}

/** Makes the image of a scenario's ESP. */
function makeEsp(image: string, scenario: Scenario, world: World): void {
  const held = world.files().reduce((sum, path) => sum + world.sizeOf(path), 0);
  const free = scenario.free?.(world);
  const size = free === undefined ? Math.max(64 * MIB, held + 40 * MIB) : held + free + 3 * MIB;
  makeEspImage(image, world.esp, Math.ceil(size / MIB) * MIB);
  const isOurs = world.files().some((path) => ENTRY_OF_OURS.test(path));
  if (isOurs) enlarge(image, new Set(world.files().map((path) => dirname(path))));
  if (free !== undefined) fill(image, free);
}

/** Makes directories as large as a run of ours leaves those that it writes to, by files that come and go. */
function enlarge(image: string, directories: ReadonlySet<string>): void {
  // Of 15 slots each: mtools makes a directory one cluster larger at a time, which may have no more.
  const names = Array.from({ length: 35 }, (_, index) => `${index}`.padEnd(182, '_'));
  const folder = mkdtempSync(`${image}.names-`);
  for (const name of names) writeFileSync(join(folder, name), '');
  const sources = names.map((name) => join(folder, name));
  for (const directory of directories) {
    if (directory === '.') continue;
    run('mcopy', ['-i', image, ...sources, `::/${directory}`], quiet);
    run('mdel', ['-i', image, ...names.map((name) => `::/${directory}/${name}`)], quiet);
  }
  rmSync(folder, { recursive: true });
}

/** Puts a foreign file onto the image, so that `free` bytes and no more are left. */
function fill(image: string, free: number): void {
  run('mmd', ['-i', image, '::/firmware'], quiet);
  const room = Number(
    /([\d ]+) bytes free/.exec(run('mdir', ['-i', image], quiet))?.[1]?.replaceAll(' ', ''),
  );
  assert.ok(room >= free, `${image}: expected room for ${free} bytes, got ${room}`);
  const filler = `${image}.filler`;
  writeFileSync(filler, '');
  truncateSync(filler, room - free);
  run('mcopy', ['-i', image, filler, '::/firmware/update.cap'], quiet);
}
