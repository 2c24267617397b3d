/** The table of generation sources. A new source is a file in this room and a line in the table. */
import type { Disk } from '../disk/disk.ts';
import { installedKernels, kernelPlaces } from './installed-kernels.ts';
import { nixProfiles } from './nix-profiles.ts';
import type { GenerationSource, SourcePlaces } from './source.ts';

const SOURCES = { nix: nixProfiles, kernels: installedKernels } as const satisfies Record<
  string,
  (places: SourcePlaces, disk: Disk) => GenerationSource
>;

/** The name of a source. */
export type SourceName = keyof typeof SOURCES;

export const SOURCE_NAMES = Object.keys(SOURCES) as readonly SourceName[];

/** Opens the source that the settings choose. */
export function openSource(places: SourcePlaces, disk: Disk): GenerationSource {
  return SOURCES[chosenSource(places, disk)](places, disk);
}

/**
 * Returns the source that the settings choose: profiles that are named or where Nix has them, else
 * installed kernels once one was added.
 */
export function chosenSource(
  { source, profiles, 'state-dir': state }: SourcePlaces,
  disk: Disk,
): SourceName {
  if (source !== undefined) return source;
  if (profiles.length !== 1 || profiles[0] !== NIX_PROFILES) return 'nix';
  if (disk.linkStat(`${NIX_PROFILES}/system`)) return 'nix';
  return disk.stat(kernelPlaces(state).links) ? 'kernels' : 'nix';
}

/** Where Nix keeps the profiles of a system. */
export const NIX_PROFILES = '/nix/var/nix/profiles';
