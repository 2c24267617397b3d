/** Reads the world on the side of the system: generations, what they need, and what must stay. */
import { posix } from 'node:path';
import type { Context } from '../context.ts';
import { openDigestCache } from '../disk/digest-cache.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { requireTrusted, targetsOf } from '../esp/untrusted-source.ts';
import {
  compareGenerations,
  type Generation,
  type Link,
  type Malformed,
} from '../generation/generation.ts';
import {
  assertOneArchitecture,
  currentToplevel,
  findGenerationLinks,
  parseLink,
  readGenerations,
} from '../generation/profile.ts';
import { type RootReason, retain } from '../generation/retention.ts';
import { architecture } from '../loader/architecture.ts';
import { generationName, type WantedGeneration } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';
import { unsigned } from '../signer/signer.ts';
import { bootedSystem } from './booted.ts';
import { declareExtras } from './extras.ts';
import { pinsDirectory } from './pins.ts';
import { withReachableDefault } from './reachable-default.ts';
import { type EntryPolicy, resolve } from './resolve.ts';
import { signerOf } from './signer-of.ts';
import type { Survey } from './surveyed.ts';
import { thinStub, thinStubWarnings } from './thin-stub.ts';

/** The generations of all profiles, and those systems that their profiles lead to. */
export interface Profiles {
  readonly generations: readonly Generation[];
  readonly malformed: readonly Malformed[];
  /** Real paths of systems that a person asked to keep. */
  readonly pinned: ReadonlySet<string>;
  /** Real paths, or a link that leads nowhere; the system profile's first. */
  readonly current: readonly string[];
}

/**
 * Surveys the system: everything that is the same for every ESP. Touches nothing.
 * @param toplevel the system that is to boot next; without it the system profile's current one
 * @param given who signs, in place of whom the settings name
 * @throws {NO_BOOTABLE_GENERATION} @throws {TARGET_BROKEN} @throws {MIXED_ARCHITECTURES}
 * @throws {VERITY_ABSENT}
 */
export async function survey(
  settings: Settings,
  toplevel: string | undefined,
  context: Context,
  given?: LoadedSigner,
): Promise<Survey> {
  const { signer, warnings } = given ?? (await chooseSigner(settings, context));
  const profiles = readProfiles(settings, context);
  const { generations, malformed, current } = profiles;
  if (generations.length === 0) throw noGeneration(settings, malformed);
  assertOneArchitecture(generations, settings.system);
  const wantedSystem = toplevel === undefined ? current[0] : findSystem(toplevel, context);
  const target = findTarget(profiles, wantedSystem, context);
  const booted = bootedSystem(context.disk, settings.booted);

  const running = generations.filter((generation) => booted && hasSystem(generation, booted));
  const roots = new Map<string, RootReason>([
    ...[...profiles.pinned].map((path) => [path, 'pinned'] as const),
    ...running.map(({ toplevel }) => [toplevel, 'booted'] as const),
    ...current.map((path) => [path, 'current'] as const),
    [target.toplevel, 'target'],
  ]);
  const retained = retain(generations, { limit: settings.limit, roots });

  const names = architecture(target.bootspec.system);
  const efiDirectory = `${findSystemd(settings, target, context)}/lib/systemd/boot/efi`;
  const stub = findStub(settings, `${efiDirectory}/${names.stub}`);
  const cache = openDigestCache(context.disk, settings['cache-dir']);
  const wantedGenerations = [
    ...retained.musts.map(({ generation }) => generation),
    ...retained.wishes,
  ];
  const extras = await declareExtras(settings, signer, context, cache);
  const policy = {
    settings,
    signer,
    stub,
    extras: extras.declared,
    loader: `${efiDirectory}/${names.loader}`,
  };
  requireOwnParts(policy, context);
  const resolution = await resolve(wantedGenerations, policy, context, cache);
  const unsaved = await cache.save();

  const broken = resolution.broken.find(({ link }) => link === target.link);
  if (broken) {
    resolution.dispose();
    throw targetBroken(broken);
  }
  const mustNames = new Set(retained.musts.map(({ generation }) => generationName(generation)));
  const isMust = ({ name }: WantedGeneration) => mustNames.has(name);
  const entries = resolution.wanted.find(({ name }) => name === generationName(target))?.entries;
  const next = entries?.find((entry) => entry.toplevel === wantedSystem) ?? entries?.[0];
  if (!next) throw new EspError('TARGET_BROKEN', `${target.link}: it has no boot entry`);
  const surveyed: Survey = {
    settings,
    signer,
    architecture: names,
    efiDirectory,
    default: next.id,
    unreachable: new Set(),
    musts: resolution.wanted.filter(isMust),
    wishes: resolution.wanted.filter((generation) => !isMust(generation)),
    leftOut: retained.leftOut.map(({ generation }) => ({
      generation: generationName(generation),
      because: `the limit is ${settings.limit}`,
    })),
    quarantined: [...malformed, ...resolution.broken],
    running: booted,
    booted: running.length > 0 ? undefined : booted,
    extras: extras.declared,
    sources: new Map([...resolution.sources, ...extras.sources]),
    warnings: [
      ...warnings,
      ...resolution.warnings,
      ...(context.acceptsAnyInit ? wantedGenerations.flatMap(lackingInit(context.disk)) : []),
      ...(settings.format === 'thin' ? thinStubWarnings(settings, context) : []),
    ],
    cautions: resolution.cautions,
    notices: unsaved ? [`the next run will hash again: ${explain(unsaved)}`] : [],
    dispose: resolution.dispose,
  };
  try {
    return await withReachableDefault(surveyed, context);
  } catch (error) {
    surveyed.dispose();
    throw error;
  }
}

async function chooseSigner(settings: Settings, context: Context): Promise<LoadedSigner> {
  const found = await signerOf(settings, context);
  if (found !== undefined) return found;
  if (settings['allow-unsigned']) return { signer: unsigned, warnings: [] };
  throw new EspError('CONFIG_INVALID', 'there is no certificate and no private key to sign with', {
    hint: 'give --certificate and --private-key, or --allow-unsigned for a machine without Secure Boot',
  });
}

/** Reads every generation that the settings name. */
export function readProfiles(
  settings: Settings,
  { disk, generations: memory, acceptsAnyInit }: Context,
): Profiles {
  const leniency = { anyInit: acceptsAnyInit === true };
  const links: Link[] = [];
  const current: (string | undefined)[] = [];
  for (const path of settings.profiles) {
    const link = parseLink(path);
    if (link) {
      links.push(link);
      continue;
    }
    if (!disk.list(path)) {
      throw new EspError('CONFIG_INVALID', `${path}: no directory of profiles, and no generation`, {
        hint: 'name a directory that holds system-N-link, or such a link, with --profiles',
      });
    }
    const found = findGenerationLinks(disk, path);
    links.push(...found);
    const named = new Set(found.flatMap(({ profile }) => (profile === undefined ? [] : [profile])));
    current.push(currentSystem(disk, path));
    for (const profile of named) current.push(currentToplevel(disk, path, profile));
  }
  const pins = findGenerationLinks(disk, pinsDirectory(settings, disk));
  const listed = readGenerations(disk, links, memory, leniency);
  const lone = readGenerations(disk, unlisted(pins, listed, disk), undefined, leniency);
  return {
    generations: [...listed.generations, ...lone.generations].toSorted(compareGenerations),
    malformed: [...listed.malformed, ...lone.malformed].toSorted(compareGenerations),
    pinned: new Set(pins.flatMap(({ path }) => disk.realPath(path) ?? [])),
    current: current.filter((path) => path !== undefined),
  };
}

/**
 * Where the system profile leads: a real path, or the generation's link when that leads nowhere. A
 * current system that is gone must not count as none, for which the newest of all would boot next.
 */
function currentSystem(disk: Context['disk'], directory: string): string | undefined {
  const link = disk.readLink(`${directory}/system`);
  return currentToplevel(disk, directory) ?? (link && posix.resolve(directory, link));
}

/** Pins of generations that their profiles have no longer: they are generations all the same. */
function unlisted(
  pins: readonly Link[],
  { generations, malformed }: Pick<Profiles, 'generations' | 'malformed'>,
  { realPath }: Disk,
): Link[] {
  const listed = new Set([
    ...generations.map(({ toplevel }) => toplevel),
    ...malformed.map(({ link }) => realPath(link)),
  ]);
  return pins.filter(({ path }) => !listed.has(realPath(path) ?? path));
}

function noGeneration(settings: Settings, malformed: readonly Malformed[]): EspError {
  const [first] = malformed;
  return new EspError(
    'NO_BOOTABLE_GENERATION',
    `${settings.profiles.join(', ')}: no generation can boot, ${malformed.length} are broken`,
    {
      hint: 'nothing was touched; build a system, or name the directory of its profiles with --profiles',
      ...(first ? { cause: first.cause } : {}),
    },
  );
}

/** Returns the real path of the system that is to boot next. */
function findSystem(toplevel: string, { disk }: Context): string {
  const real = disk.realPath(toplevel);
  if (real !== undefined) return real;
  throw new EspError('TARGET_BROKEN', `${toplevel}: no such system`, {
    hint: 'name the store path of a system, or a generation’s link',
  });
}

/** Whether a system is a generation, or one of its specialisations. */
function hasSystem({ toplevel, bootspec }: Generation, system: string): boolean {
  const systems = [...bootspec.specialisations.values()].map((child) => child.toplevel);
  return [toplevel, bootspec.toplevel, ...systems].includes(system);
}

/**
 * Finds the generation of the system that is to boot next: the newest one, when several have it.
 * Explicit links come without a profile that says which is current; then it is the newest of all.
 */
function findTarget(
  { generations, malformed }: Profiles,
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

function targetBroken({ link, cause }: Malformed): EspError {
  return new EspError('TARGET_BROKEN', `${link}: the system that is to boot next is broken`, {
    cause,
    hint: cause.hint ?? 'nothing was touched; rebuild it, or install another one by its path',
  });
}

/** The systemd that brings loader and stub: as told, else the target's own, else the host's. */
function findSystemd(settings: Settings, target: Generation, { disk }: Context): string {
  const own = `${target.toplevel}/systemd`;
  return settings.systemd ?? (disk.stat(`${own}/lib/systemd/boot/efi`) ? own : '/usr');
}

/** The stub of images, where there are any: as told, else systemd's `own`, which knows no thin ones. */
function findStub(settings: Settings, own: string): string | undefined {
  if (settings.format === 'type1') return undefined;
  return settings.format === 'thin' ? thinStub(settings) : (settings.stub ?? own);
}

/** Loader, stub and the files of sections get our signature too. @throws {SOURCE_UNTRUSTED} */
function requireOwnParts({ settings, signer, stub, loader }: EntryPolicy, { disk }: Context): void {
  if (signer.fingerprint === unsigned.fingerprint) return;
  for (const path of [loader, stub, ...Object.values(settings.sections)]) {
    if (path !== undefined) requireTrusted(path, targetsOf(settings), disk);
  }
}

/** Says of a generation that what its command line names as `init` is not there. */
function lackingInit(disk: Disk) {
  return (generation: Generation): string[] =>
    [generation.bootspec, ...generation.bootspec.specialisations.values()]
      .map(({ init }) => init)
      .filter((init) => !init.startsWith('/') || disk.stat(init)?.kind !== 'file')
      .map((init) => `generation ${generationName(generation)}: its init ${init} is not there`);
}

/** How a broken generation is reported. */
export function describeBroken({ profile, number, cause }: Malformed): string {
  return `generation ${generationName({ profile, number })} is broken and left as it is: ${explain(cause)}`;
}
