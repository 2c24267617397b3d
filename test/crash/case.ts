/** One scenario from its world to its figures: recorded, judged at every moment, booted, run once more. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from '../lab/parts.ts';
import { bootMoment } from './boots.ts';
import { mendImage } from './fsck.ts';
import { rerunInGuest } from './guest-reruns.ts';
import { type Effort, imagesOf, type Moment, pickMoments } from './moments.ts';
import { randomOf } from './random.ts';
import { type Recording, record, recordOn, type Studio } from './recording.ts';
import { makeWorld, type Scenario } from './scenario.ts';
import { type Found, type Trial, tryRecording } from './trial.ts';
import { realPayload, smallPayload } from './world.ts';

/** How thorough a case is. */
export interface Thoroughness extends Effort {
  /** Moments that are booted. */
  readonly boots: number;
  /** Moments at which the next run happens in a guest. */
  readonly guests: number;
  /** Moments from which an interrupted run is followed by another that is recorded and judged as well. */
  readonly again: number;
  /** Whether what is installed is small and starts nowhere: then nothing can be booted. */
  readonly isSmall?: boolean;
}

/** The figures of one scenario. */
export interface Figures {
  readonly scenario: string;
  readonly writes: number;
  readonly epochs: number;
  readonly prefixes: number;
  readonly reorderings: number;
  /** Different states of the ESP among them. */
  readonly states: number;
  readonly boots: number;
  readonly guests: number;
  readonly windows: Trial['windows'];
  readonly findings: readonly Found[];
  readonly seconds: number;
}

/** What cases are made with. */
export interface Workshop {
  readonly parts: Parts;
  readonly bundle: string;
  /** For images and trees: in memory if possible. */
  readonly folder: string;
  /** For worlds: not below /dev, /proc or /sys, which in a guest are its own. */
  readonly worlds: string;
}

/** A case for a thread. */
export interface CaseRequest {
  /** Of the scenario. */
  readonly name: string;
  readonly workshop: Workshop;
  readonly thoroughness: Thoroughness;
}

/** Runs a case and returns its figures: its own, and those of each recording that continues it. */
export async function runCase(
  scenario: Scenario,
  workshop: Workshop,
  thoroughness: Thoroughness,
): Promise<Figures[]> {
  const root = mkdtempSync(join(workshop.worlds, `${scenario.name}-`));
  const folder = mkdtempSync(join(workshop.folder, `${scenario.name}-`));
  const studio: Studio = { ...workshop, folder };
  try {
    const payload = thoroughness.isSmall ? smallPayload() : realPayload(workshop.parts);
    const world = await makeWorld(scenario, join(root, scenario.name), payload);
    const recording = await record(scenario, world, studio);
    return await judgeRecording(recording, studio, thoroughness);
  } finally {
    rmSync(root, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A recording that continues another one has all its states judged; machines are slow. */
const CONTINUED = { boots: 1, guests: 2, again: 0 };

async function judgeRecording(
  recording: Recording,
  studio: Studio,
  thoroughness: Thoroughness,
): Promise<Figures[]> {
  const start = performance.now();
  const { name } = recording.scenario;
  const folder = join(studio.folder, name);
  mkdirSync(folder, { recursive: true });
  const trial = tryRecording(recording, { bundle: studio.bundle, folder }, thoroughness);
  const random = randomOf(thoroughness.seed, `${name}: moments`);
  const startable = trial.moments.filter(({ starts }) => starts !== undefined);
  const hiding = trial.moments.filter(({ isHiding }) => isHiding);
  // The rarest kind, and the one that only the kernel's own vfat shows.
  const hidden = pickMoments(hiding, Math.ceil(thoroughness.guests / 2), random);
  const pick = (moments: Trial['moments'], count: number, use: string, more: Moment[] = []) =>
    imagesOf(
      [...more, ...pickMoments(moments, count - more.length, random)],
      recording,
      join(folder, use),
      thoroughness,
    );
  const toBoot = pick(startable, thoroughness.boots, 'boot');
  const seen = trial.moments.filter(({ isHiding }) => !isHiding);
  const toRerun = pick(seen, thoroughness.guests, 'guest', hidden);
  const toContinue = pick(trial.moments, thoroughness.again, 'again');
  const found: Found[] = await rerunInGuest(toRerun, recording, studio, trial.truth);
  for (const [moment, image] of toBoot) {
    found.push(...(await bootMoment(moment, image, trial.truth, studio.parts)));
  }
  const { writes, epochs, prefixes, reorderings, windows } = trial;
  const own: Figures = {
    ...{ scenario: name, writes, epochs, prefixes, reorderings, windows },
    states: new Set(trial.moments.map(({ kind }) => kind)).size,
    boots: toBoot.size,
    guests: toRerun.size,
    findings: [...trial.findings, ...found],
    seconds: (performance.now() - start) / 1000,
  };
  const continued = [];
  for (const [{ index, isSound }, image] of toContinue) {
    // A system that starts has its file systems checked; a kernel goes on with most that are not.
    if (!isSound) mendImage(image);
    const again = { ...recording.scenario, name: `${name}, again at ${index}` };
    const next = await recordOn(image, again, recording.world, studio);
    continued.push(...(await judgeRecording(next, studio, { ...thoroughness, ...CONTINUED })));
  }
  return [own, ...continued];
}
