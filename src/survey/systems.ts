/** Which systems run, are current and pinned, by what boots them, and which generations are broken. */
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type Generation, type Malformed, systemsOf } from '../generation/generation.ts';
import { ofOneArchitecture } from '../generation/profile.ts';
import type { FoundGenerations } from '../generation/source.ts';
import { openSource } from '../generation/sources.ts';
import { architecture } from '../loader/architecture.ts';
import type { Systems } from '../plan/menu.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from './booted.ts';
import { requireKernel } from './describe.ts';

/**
 * What the profiles and the running machine say. `booted` and `pinned` are what boots those systems: a
 * link may lead to a wrapper around a system, and an entry only tells what it boots.
 */
export interface KnownSystems extends Systems {
  /** Real path of the running system. */
  readonly running: string | undefined;
  /** Real path of the system that the profile leads to. */
  readonly current: string | undefined;
  /** What boots the systems of the current generation: its own and its specialisations. */
  readonly currentBoots: readonly string[];
  /** Generations that cannot be installed, as far as no file has to be read whole. */
  readonly malformed: readonly Malformed[];
}

/** Reads which systems run, are current and are pinned. No profile is no error here, as on a rescue system. */
export function readSystems(
  settings: Settings,
  { disk, environment, generations: memory }: Pick<Context, 'disk' | 'environment' | 'generations'>,
): KnownSystems {
  const found = findGenerations(settings, disk, memory);
  const { generations, current: currents, pinned } = found;
  const boots = bootsOf(generations);
  const others = ofOthers(generations, settings.system);
  const own = generations.filter(({ link }) => others.every((other) => other.link !== link));
  const running = bootedSystem(settings, { disk, environment });
  const current = currents[0] ?? found.newest;
  const generation = generations.find((candidate) => {
    const [own] = systemsOf(candidate);
    return current !== undefined && own.paths.includes(current);
  });
  return {
    running,
    booted: running && (boots.get(running) ?? running),
    current,
    currentBoots: generation
      ? systemsOf(generation).map((system) => system.boots)
      : [current ?? []].flat(),
    pinned: [...pinned].map((system) => boots.get(system) ?? system),
    malformed: [...found.malformed, ...others, ...withoutKernel(own, disk)],
  };
}

function findGenerations(
  settings: Settings,
  disk: Disk,
  memory: Context['generations'],
): FoundGenerations {
  const source = openSource(settings, disk);
  try {
    return source.read(memory);
  } catch (error) {
    if (!(error instanceof EspError) || error.code !== 'CONFIG_INVALID') throw error;
    const pinned = new Set(source.pinned());
    return { generations: [], malformed: [], pinned, current: [], newest: undefined };
  }
}

/** Generations whose kernel no firmware starts: its header tells, and no digest has to be taken. */
function withoutKernel(generations: readonly Generation[], disk: Disk): readonly Malformed[] {
  return generations.flatMap(({ profile, number, link, bootspec }) => {
    try {
      for (const each of [bootspec, ...bootspec.specialisations.values()]) {
        requireKernel(each, architecture(each.system).machine, disk);
      }
      return [];
    } catch (cause) {
      if (!(cause instanceof EspError)) throw cause;
      return [{ profile, number, link, cause }];
    }
  });
}

/** By every path under which a system is known, what boots it. */
function bootsOf(generations: readonly Generation[]): ReadonlyMap<string, string> {
  return new Map(
    generations
      .flatMap(systemsOf)
      .flatMap(({ boots, paths }) => paths.map((path) => [path, boots] as const)),
  );
}

/** Without `--system` nobody can tell which of them are another machine's: `install` says so. */
function ofOthers(
  generations: readonly Generation[],
  system: string | undefined,
): readonly Malformed[] {
  try {
    return ofOneArchitecture(generations, system).malformed;
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}
