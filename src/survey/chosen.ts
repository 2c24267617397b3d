/** Chooses among generations: which boots next, which must stay, and which are wanted. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { type Generation, type Malformed, systemsOf } from '../generation/generation.ts';
import { ofOneArchitecture } from '../generation/profile.ts';
import { type Retention, type RootReason, retain, superseded } from '../generation/retention.ts';
import type { FoundGenerations } from '../generation/source.ts';
import { chosenSource } from '../generation/sources.ts';
import { generationName } from '../plan/wanted.ts';
import { counted } from '../quantity.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from './booted.ts';

/** The result, which depends on generations and settings alone. */
export interface ChosenGenerations {
  /** The generation that boots next. */
  readonly target: Generation;
  /** Real path of the system that was asked for: the target's own, or a specialisation's. */
  readonly system: string | undefined;
  /** Real path of the running system. */
  readonly running: string | undefined;
  /** Whether some generation is the running system. */
  readonly isRunningKept: boolean;
  readonly retained: Retention;
  /** Generations that cannot be installed here: broken, or for another kind of machine. */
  readonly malformed: readonly Malformed[];
}

/**
 * Chooses among generations.
 * @param toplevel the system that should boot next; without it, the system profile's current one
 * @throws {NO_BOOTABLE_GENERATION} @throws {TARGET_BROKEN} @throws {MIXED_ARCHITECTURES}
 */
export function chooseGenerations(
  found: FoundGenerations,
  settings: Settings,
  toplevel: string | undefined,
  context: Context,
): ChosenGenerations {
  const { pinned, current, newest } = found;
  if (found.generations.length === 0) throw noGeneration(settings, found.malformed, context);
  const fitting = ofOneArchitecture(found.generations, settings.system);
  const { generations } = fitting;
  const malformed = [...found.malformed, ...fitting.malformed];
  const system =
    toplevel === undefined ? (current[0] ?? newest) : findSystem(toplevel, generations, context);
  const target = findTarget({ generations, malformed }, system, context);
  const booted = bootedSystem(settings, context);
  const running = generations.filter((generation) => booted && hasSystem(generation, booted));
  const roots = new Map<string, RootReason>([
    ...[...pinned].map((path) => [path, 'pinned'] as const),
    ...running.map(({ toplevel }) => [toplevel, 'booted'] as const),
    ...current.map((path) => [path, 'current'] as const),
    [target.toplevel, 'target'],
  ]);
  const replaced = new Set(
    superseded(generations, booted).filter((each) => !roots.has(each.toplevel)),
  );
  const standing = generations.filter((each) => !replaced.has(each));
  const retained = retain(standing, { limit: settings.limit, roots });
  const isRunningKept = running.length > 0;
  return { target, system, running: booted, isRunningKept, retained, malformed };
}

function noGeneration(
  settings: Settings,
  malformed: readonly Malformed[],
  { disk }: Context,
): EspError {
  const [first] = malformed;
  const isNix = chosenSource(settings, disk) === 'nix';
  const where = isNix ? settings.profiles.join(', ') : `the kernels in ${settings['state-dir']}`;
  return new EspError(
    'NO_BOOTABLE_GENERATION',
    `${where}: no generation can boot: ${malformed.length === 0 ? 'there is none' : `${counted(malformed.length, 'generation is', 'generations are')} broken`}`,
    {
      hint: isNix
        ? 'nothing was touched; build a system, or name the directory of its profiles with --profiles; where kernels are installed as packages, `espalier kernel sync`'
        : 'nothing was touched; `espalier kernel list` says why, and `espalier kernel sync` keeps those that are installed',
      ...(first ? { cause: first.cause } : {}),
    },
  );
}

/** Returns the real path of the system that should boot next, which may have the name of a generation. */
function findSystem(
  toplevel: string,
  generations: readonly Generation[],
  { disk }: Context,
): string {
  const named = generations.find(
    (each) => generationName(each) === toplevel || each.release === toplevel,
  );
  if (named) return named.toplevel;
  const real = disk.realPath(toplevel);
  if (real !== undefined) return real;
  throw new EspError('TARGET_BROKEN', `${toplevel}: no such system`, {
    hint: 'name a generation by its number, the release of an installed kernel, or the path of a system',
  });
}

/** Whether a system is a generation, or one of its specialisations. */
function hasSystem(generation: Generation, system: string): boolean {
  return systemsOf(generation).some(({ paths }) => paths.includes(system));
}

/**
 * Finds the generation of the system that is to boot next: the newest one, when several have it.
 * Without a system it is the newest of all that can be installed.
 */
function findTarget(
  { generations, malformed }: Pick<FoundGenerations, 'generations' | 'malformed'>,
  system: string | undefined,
  { disk }: Context,
): Generation {
  const found = generations.find((candidate) => !system || hasSystem(candidate, system));
  if (found) return found;
  const broken = malformed.find(({ link }) => (disk.realPath(link) ?? link) === system);
  if (broken) throw targetBroken(broken);
  throw new EspError('TARGET_BROKEN', `${system}: no generation leads to it`, {
    hint: 'nothing was touched; set it as the profile’s current system first (`nix-env --profile /nix/var/nix/profiles/system --set …`)',
  });
}

export function targetBroken({ link, cause }: Malformed): EspError {
  return new EspError('TARGET_BROKEN', `${link}: the system that is to boot next is broken`, {
    cause,
    hint: cause.ownHint ?? 'nothing was touched; rebuild it, or install another one by its path',
  });
}
