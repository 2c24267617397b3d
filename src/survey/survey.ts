/** Surveys the system: generations, what they need, and which of them must stay. */
import type { Context } from '../context.ts';
import { openDigestCache } from '../disk/digest-cache.ts';
import { EspError, explain } from '../error.ts';
import type { OwnSystems } from '../esp/neighbours.ts';
import { requireTrusted, targetsOf } from '../esp/untrusted-source.ts';
import { type Generation, systemsOf } from '../generation/generation.ts';
import type { FoundGenerations } from '../generation/source.ts';
import { openSource } from '../generation/sources.ts';
import { type Architecture, architecture } from '../loader/architecture.ts';
import { generationName, type WantedEntry, type WantedGeneration } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';
import { unsigned } from '../signer/signer.ts';
import { vouches } from './bootspec-sources.ts';
import { type ChosenGenerations, chooseGenerations, targetBroken } from './chosen.ts';
import type { EntryPolicy } from './entry-maker.ts';
import { declareExtras } from './extras.ts';
import { loaderConfGiven, readLoader } from './loader-source.ts';
import { recallSystems } from './own-systems.ts';
import { type PolicyMaker, policyMaker } from './policies.ts';
import { type Resolution, resolve } from './resolve.ts';
import { findRootHashTroubles } from './root-hash-troubles.ts';
import { signerOf } from './signer-of.ts';
import { type ChosenFormat, chooseFormat } from './stub.ts';
import type { Survey } from './surveyed.ts';

/**
 * Surveys everything that is the same for every ESP. Touches nothing.
 * @param toplevel the system that should boot next; without it, the system profile's current one
 * @param given the signer to use instead of the settings' signer
 * @throws {NO_BOOTABLE_GENERATION} @throws {TARGET_BROKEN} @throws {MIXED_ARCHITECTURES}
 * @throws {CONFIG_INVALID}
 */
export async function survey(
  settings: Settings,
  toplevel: string | undefined,
  context: Context,
  given?: LoadedSigner,
): Promise<Survey> {
  const { signer, warnings } = given ?? (await chooseSigner(settings, context));
  const found = openSource(settings, context.disk).read(context.generations, {
    anyInit: context.acceptsAnyInit === true,
  });
  const chosen = chooseGenerations(found, settings, toplevel, context);
  const parts = findParts(settings, chosen.target, context);
  const cache = openDigestCache(context.disk, settings['cache-dir']);
  const extras = await declareExtras(settings, { signer, ...parts }, context, cache);
  const policies = await policiesFor(parts.chosenFormat, settings, context);
  const policy = { settings, signer, ...parts, extras: extras.declared, policies };
  requireOwnParts(policy, context);
  const resolution = await resolve(wantedOf(chosen), policy, context, cache);
  const unsaved = await cache.save();
  try {
    const wanted = entriesOf(chosen, resolution, settings);
    const { troubles, ...told } = await findRootHashTroubles(resolution.wanted, settings, context);
    const astray = wantedOf(chosen).flatMap(lackingInit(context));
    const { name: formatName, because, format, warnings: unfit } = resolution.format;
    const later = [...astray, ...unfit, ...told.warnings];
    const slow = unsaved ? [`the next run will hash again: ${explain(unsaved)}`] : [];
    return {
      ...{ settings, signer, policies, architecture: parts.architecture },
      loader: readLoader(parts.loader, parts.architecture, signer, context.disk),
      loaderConf: loaderConfGiven(settings, context.disk),
      format: { name: formatName, because },
      hasBareKernels: format.signsKernels && !settings['sign-kernels'],
      ...wanted,
      troubles,
      quarantined: [...chosen.malformed, ...resolution.broken],
      ownSystems: ownSystemsOf(chosen, found, resolution, settings, context),
      extras: extras.declared,
      sources: new Map([...resolution.sources, ...extras.sources]),
      warnings: [...warnings, ...extras.warnings, ...resolution.warnings, ...later],
      cautions: resolution.cautions,
      notices: [...slow, ...told.notices],
      dispose: resolution.dispose,
    };
  } catch (error) {
    resolution.dispose();
    throw error;
  }
}

/** @throws {CONFIG_INVALID} when the entries of the format are no images of ours to put policies into */
async function policiesFor(
  { format }: ChosenFormat,
  settings: Settings,
  context: Context,
): Promise<PolicyMaker | undefined> {
  const policies = await policyMaker(settings, context);
  if (policies === undefined || format.lacksPolicies === undefined) return policies;
  throw new EspError(
    'CONFIG_INVALID',
    `--format ${settings.format}: its entries carry no policies for PCR 11: ${format.lacksPolicies}`,
    { hint: 'leave out the key for policies, or choose a format of whole images' },
  );
}

async function chooseSigner(settings: Settings, context: Context): Promise<LoadedSigner> {
  const found = await signerOf(settings, context);
  if (found !== undefined) return found;
  if (settings['allow-unsigned']) return { signer: unsigned, warnings: [] };
  throw new EspError('CONFIG_INVALID', 'there is no certificate and no private key to sign with', {
    hint: 'give --certificate and --private-key, or --allow-unsigned for a machine without Secure Boot',
  });
}

/** What tells entries of this machine from those of another one on the same ESP. */
function ownSystemsOf(
  { running }: ChosenGenerations,
  { generations, malformed }: FoundGenerations,
  { wanted, broken }: Resolution,
  settings: Settings,
  { disk }: Context,
): OwnSystems | undefined {
  if (settings['take-over']) return undefined;
  const systems = generations.flatMap(systemsOf).flatMap(({ boots, paths }) => [boots, ...paths]);
  return {
    known: new Set(running === undefined ? systems : [...systems, running]),
    entries: new Set(wanted.flatMap(({ entries }) => entries).map(({ id }) => id.toLowerCase())),
    remembered: recallSystems(disk, settings['cache-dir']),
    broken: new Set([...malformed, ...broken].map(({ number }) => number)),
  };
}

/** What is installed beside the generations, and what images are made from. */
interface Parts {
  readonly architecture: Architecture;
  /** The boot loader, at its path outside the ESP. */
  readonly loader: string;
  /** The stub of addons, which only they need. */
  readonly addonStub: string;
  readonly chosenFormat: ChosenFormat;
}

function findParts(settings: Settings, target: Generation, context: Context): Parts {
  const names = architecture(target.bootspec.system);
  const efiDirectory = `${findSystemd(settings, target, context)}/lib/systemd/boot/efi`;
  return {
    architecture: names,
    loader: `${efiDirectory}/${names.loader}`,
    addonStub: `${efiDirectory}/addon${names.efi}.efi.stub`,
    chosenFormat: chooseFormat(settings, `${efiDirectory}/${names.stub}`, context.disk),
  };
}

/** The generations that an ESP should have. Those that must be there come first. */
function wantedOf({ retained: { musts, wishes } }: ChosenGenerations): readonly Generation[] {
  return [...musts.map(({ generation }) => generation), ...wishes];
}

/**
 * Returns what an ESP should hold, and which of its entries boots next.
 * @throws {TARGET_BROKEN} when the generation that should boot next turns out to be broken
 */
function entriesOf(
  { target, system, running, isRunningKept, retained }: ChosenGenerations,
  { wanted, broken }: Resolution,
  settings: Settings,
): Pick<Survey, 'default' | 'musts' | 'wishes' | 'leftOut' | 'running' | 'booted'> {
  const isBroken = broken.find(({ link }) => link === target.link);
  if (isBroken) throw targetBroken(isBroken);
  const mustNames = new Set(retained.musts.map(({ generation }) => generationName(generation)));
  const isMust = ({ name }: WantedGeneration) => mustNames.has(name);
  return {
    default: nextOf(target, system, wanted).id,
    musts: wanted.filter(isMust),
    wishes: wanted.filter((generation) => !isMust(generation)),
    leftOut: retained.leftOut.map(({ generation }) => ({
      generation: generationName(generation),
      because: `the limit is ${settings.limit}`,
    })),
    running,
    booted: isRunningKept ? undefined : running,
  };
}

/** Returns the target's entry of the system that was asked for, or that of the target itself. */
function nextOf(
  target: Generation,
  system: string | undefined,
  wanted: readonly WantedGeneration[],
): WantedEntry {
  const entries = wanted.find(({ name }) => name === generationName(target))?.entries;
  const next = entries?.find((entry) => entry.toplevel === system) ?? entries?.[0];
  if (!next) throw new EspError('TARGET_BROKEN', `${target.link}: it has no boot entry`);
  return next;
}

/** Returns the systemd with loader and stub: the given one, else the target's, else the host's. */
function findSystemd(settings: Settings, target: Generation, { disk }: Context): string {
  const own = `${target.toplevel}/systemd`;
  return settings.systemd ?? (disk.stat(`${own}/lib/systemd/boot/efi`) ? own : '/usr');
}

/** Loader, stub and the files of sections get our signature too. @throws {SOURCE_UNTRUSTED} */
function requireOwnParts(policy: EntryPolicy, { disk }: Context): void {
  if (!vouches(policy)) return;
  const { settings, chosenFormat, loader } = policy;
  for (const path of [loader, chosenFormat.stub, ...Object.values(settings.sections)]) {
    if (path !== undefined) requireTrusted(path, targetsOf(settings), disk);
  }
}

/** Says of a generation that what its command line names as `init` is not there. */
function lackingInit({ disk, acceptsAnyInit }: Context) {
  if (acceptsAnyInit !== true) return () => [];
  return (generation: Generation): string[] =>
    [generation.bootspec, ...generation.bootspec.specialisations.values()]
      .flatMap(({ init }) => init ?? [])
      .filter((init) => !init.startsWith('/') || disk.stat(init)?.kind !== 'file')
      .map((init) => `generation ${generationName(generation)}: its init ${init} is not there`);
}
