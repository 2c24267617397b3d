/** The table of generation sources. A new source is a file in this room and a line in the table. */
import type { Disk } from '../disk/disk.ts';
import { nixProfiles } from './nix-profiles.ts';
import type { GenerationSource, SourcePlaces } from './source.ts';

const SOURCES = { nix: nixProfiles } as const satisfies Record<
  string,
  (places: SourcePlaces, disk: Disk) => GenerationSource
>;

/** Opens the source that the settings choose. The only one now is Nix profiles. */
export function openSource(places: SourcePlaces, disk: Disk): GenerationSource {
  return SOURCES.nix(places, disk);
}
