/** Carries out a plan, as the only writer. Each phase is durable before the next one starts. */

import { dirname } from 'node:path';
import type { Amount, Progress } from '../context.ts';
import type { FileStat, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { EspPath } from '../esp/layout.ts';
import type { Mounted } from '../esp/target.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import { isImage, type Phase, type Plan, type Step } from '../plan/step.ts';
import { exactSize } from '../quantity.ts';
import type { Signer } from '../signer/signer.ts';
import { closeGaps, MOST_RESERVED, reserveSlots } from './directory-slots.ts';
import type { Change, Report } from './report.ts';
import { AT_ONCE, several } from './several.ts';
import { writeContent } from './write-content.ts';

/** The place where a plan is carried out, and what that needs. */
export interface Site {
  readonly disk: WritableDisk;
  /** The directory at which the ESP is mounted. */
  readonly root: string;
  /** Where on `disk` a path of the plan lies; without it, below `root`. */
  readonly locate?: ((path: EspPath) => string) | undefined;
  readonly signer: Signer;
  /** The sources as they were when their digests were taken, by path. */
  readonly sources: ReadonlyMap<string, FileStat>;
  readonly processId: number;
  /** How many files are written at once; without it, {@link AT_ONCE}. */
  readonly parallel?: number;
  /**
   * Mount points as they were when the plan was made; without them, `root` as it is at the start.
   */
  readonly mounted?: Mounted;
  /** Hears of each phase, and of what is written in it; may be absent. */
  readonly progress?: Progress;
  /** Ends the work before the next phase. The report tells what was done until then. */
  readonly signal?: AbortSignal;
}

/** A step whose new content lies under a temporary name, durable, waiting for its rename. */
interface Staged {
  readonly step: Step;
  /** Paths on the disk. */
  readonly temporary: string;
  readonly path: string;
  readonly size: number;
}

/**
 * Carries out a plan and returns what it did. A plan without phases does nothing.
 * @throws {EspError} when an effect did not happen; the results of earlier phases stay whole
 * @throws {ESP_NOT_MOUNTED} when the ESP was unmounted meanwhile
 */
export async function apply(plan: Plan, site: Site): Promise<Report> {
  const changes: Change[] = [];
  const mounted = site.mounted ?? new Map([[site.root, site.disk.stat(site.root)]]);
  const reserves = hasRoomForSlots(plan, site);
  let count = 0;
  for (const phase of plan.phases) {
    // SAFETY: between two phases everything is durable and nothing is half done, so this moment is
    // as safe as the end. The next boot gets a whole entry, the old one or the new one.
    if (site.signal?.aborted) break;
    site.progress?.begin(`${site.root}: ${phase.name}`, amountOf(phase));
    const nextName = () => temporaryName(site.processId, count++);
    requireMounted(mounted, site);
    await makeDirectories(phase, site, reserves);
    changes.push(...(await runPhase(phase, site, nextName)));
    requireMounted(mounted, site);
  }
  return {
    changes,
    written: changes.reduce((sum, { kind, size }) => sum + (kind === 'written' ? size : 0), 0),
  };
}

/** Refuses a root that was unmounted meanwhile: the directory of that name is no ESP any more. */
function requireMounted(mounted: Mounted, { disk }: Site): void {
  for (const [point, before] of mounted) {
    const now = disk.stat(point);
    if (now?.device === before?.device && now?.inode === before?.inode) continue;
    throw new EspError('ESP_NOT_MOUNTED', `${point}: it is not the file system it was any more`, {
      hint: 'mount it and run again',
    });
  }
}

/** Returns whether a step writes its content under a temporary name first. */
function needsTemporary({ kind }: Step): boolean {
  return kind === 'write' || kind === 'replace';
}

/** What is written in a phase; a removal takes no time that anybody would wait for. */
function amountOf({ steps }: Phase): Amount {
  const written = steps.filter(needsTemporary);
  const bytes = written.reduce((sum, { size }) => sum + size, 0);
  return written.length === 0 ? {} : { bytes, files: written.length };
}

/** Returns where on the disk a step's path lies. */
function placeOf({ path }: { readonly path: EspPath }, { root, locate }: Site): string {
  return locate?.(path) ?? `${root}/${path}`;
}

/** Returns whether the space suffices to reserve slots in every directory that a plan writes to. */
function hasRoomForSlots({ phases, space, espSpace = space }: Plan, site: Site): boolean {
  const steps = phases.flatMap((phase) => phase.steps);
  const directories = directoriesOf(steps.filter(needsTemporary), site);
  const spare = [space, espSpace].map((of) => Math.min(of.free - of.peak, of.after - of.reserve));
  return Math.min(...spare) >= directories.size * MOST_RESERVED;
}

/** Makes the directories that a phase writes to. If it `reserves`, each gets slots that last. */
async function makeDirectories({ steps }: Phase, site: Site, reserves: boolean): Promise<void> {
  for (const directory of directoriesOf(steps.filter(needsTemporary), site)) {
    if (!site.disk.stat(directory)) site.disk.makeDirectory(directory);
    if (reserves) await reserveSlots(directory, site.disk);
  }
}

async function runPhase(phase: Phase, site: Site, nextName: () => string): Promise<Change[]> {
  const { disk } = site;
  const staged = await stage(phase.steps.filter(needsTemporary), site, nextName);
  const fresh = await giveNames(staged, site);
  const directories = directoriesOf(phase.steps, site);
  if (phase.name === 'sweep') {
    for (const directory of directories) await closeGaps(directory, disk);
  }
  await changeInPlace(phase.steps, site);
  for (const directory of directories) {
    // SAFETY: the barrier. The changes of this phase are durable before the next phase relies on
    // them. If power fails before it, all earlier phases and any part of this one hold: what booted
    // before, or an entry that earlier phases completed, boots.
    if (disk.stat(directory)) disk.syncDirectory(directory);
  }
  // SAFETY: until this sync a new name leads to an empty file, which no loader lists: what booted
  // before boots still. It comes after the barrier for names: otherwise a part of a long name could
  // be lost and leave a stray file.
  await several(fresh, site.parallel ?? AT_ONCE, (path) => disk.syncFile(path));
  const sizes = new Map(staged.map(({ step, size }) => [step, size]));
  return phase.steps.map((step) => ({
    phase: phase.name,
    kind: step.kind === 'remove' ? 'removed' : 'written',
    path: step.path,
    size: sizes.get(step) ?? step.size,
    because: step.because,
  }));
}

/**
 * Renames staged files. Returns the paths that are new: each leads to an empty file until its sync.
 */
async function giveNames(staged: readonly Staged[], { disk }: Site): Promise<string[]> {
  const fresh: string[] = [];
  for (const { path, temporary } of staged) {
    const isNew = disk.stat(path) === undefined;
    // SAFETY: the new content is durable under its temporary name. For a new name: what booted before
    // boots still, whether or not the name arrives. For a damaged file's name: nothing could boot from
    // the damaged file. What only lacks a signature or a policy may boot: it is replaced only when another
    // entry boots that lacks neither (see spared.ts). For a loader copy or loader.conf: the name may be
    // missing for a moment; then the other loader copy boots, which is whole and not being changed, or the
    // loader uses its own default. The previous loader gets its new content before the loader that this is
    // a copy of is replaced: so of three, two are whole meanwhile. For an extra file with new content: no
    // entry of ours names it, and the list that says it is ours is durable.
    disk.rename(temporary, path);
    if (isNew) fresh.push(path);
    // SAFETY: as for the rename. Until this is done the name leads to clusters that are already
    // free.
    else await disk.syncFile(path);
  }
  return fresh;
}

/** Carries out removals and overwrites, which need no temporary file. */
async function changeInPlace(steps: readonly Step[], site: Site): Promise<void> {
  const { disk } = site;
  for (const step of steps) {
    // SAFETY: no wanted or protected entry names this file: the plan wrote such entries, or led them
    // elsewhere, in an earlier phase. It removes an entry only when another one that boots is there, so that one
    // boots. A previous loader goes when the two copies are durable, and firmware starts those.
    if (step.kind === 'remove') disk.remove(placeOf(step, site));
  }
  const overwrites = steps.filter((step) => step.kind === 'overwrite');
  // SAFETY: each writes one sector, which holds the old text or the new one, whatever became of the
  // others. Either names a durable entry or image: earlier phases wrote the new one, and only a later
  // phase removes the old one. So loader.conf names an entry that is there, and an entry boots its own
  // part of an image that is whole.
  await several(overwrites, site.parallel ?? AT_ONCE, (step) =>
    disk.overwrite(placeOf(step, site), new TextEncoder().encode(step.content.text)),
  );
}

/**
 * Writes the content of steps under temporary names beside the final ones. On failure none stays.
 */
async function stage(
  steps: readonly Step[],
  site: Site,
  nextName: () => string,
): Promise<Staged[]> {
  const { disk } = site;
  const staged: Staged[] = [];
  const begun: string[] = [];
  const write = async (step: Step): Promise<void> => {
    if (step.kind !== 'write' && step.kind !== 'replace') return;
    const path = placeOf(step, site);
    const temporary = `${dirname(path)}/${nextName()}`;
    begun.push(temporary);
    const place = (path: EspPath) => placeOf({ path }, site);
    const size = await writeContent(step.content, temporary, { ...site, place });
    site.progress?.advance(0, 1);
    if (!isImage(step.content) && size !== step.size) throw wrongSize(step, size);
    staged.push({ step, path, temporary, size });
  };
  try {
    await several(steps, site.parallel ?? AT_ONCE, write);
  } catch (error) {
    for (const temporary of begun) removeIfPossible(temporary, disk);
    throw error;
  }
  return staged;
}

function directoriesOf(steps: readonly Step[], site: Site): ReadonlySet<string> {
  return new Set(steps.map((step) => dirname(placeOf(step, site))));
}

/** Ignores a failed removal: the error that caused it is what a person has to know. */
function removeIfPossible(path: string, disk: WritableDisk): void {
  try {
    // SAFETY: a loader ignores a temporary name, so what booted before boots; the next run sweeps
    // it.
    disk.remove(path);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
  }
}

function wrongSize(step: Step, size: number): EspError {
  return new EspError('SHORT_WRITE', `${step.path}: wrote ${size} of ${exactSize(step.size)}`, {
    hint: 'check the ESP for errors (fsck.fat) and run again',
  });
}
