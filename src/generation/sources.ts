/** Every source of generations. A new one is a file here, and a line in the table. */
import type { Disk } from '../disk/disk.ts';
import { nixProfiles } from './nix-profiles.ts';
import type { GenerationSource, SourcePlaces } from './source.ts';

const SOURCES = { nix: nixProfiles } as const satisfies Record<
  string,
  (places: SourcePlaces, disk: Disk) => GenerationSource
>;

/** Opens the source that the settings name; as long as there is one, that is Nix's profiles. */
export function openSource(places: SourcePlaces, disk: Disk): GenerationSource {
  return SOURCES.nix(places, disk);
}
