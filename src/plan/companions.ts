/** Which companions each entry gets: what stubs add to what boots, beside the images. Pure. */
import { type Companion, companionAt } from '../esp/companions.ts';
import { type ImageKind, imageKindOf } from '../esp/image-kind.ts';
import type { EntryFile } from '../esp/inventory.ts';
import { ENTRIES, type EspPath, entryId, fileName } from '../esp/layout.ts';
import { IMAGE_KINDS, IMAGES } from './images.ts';
import { type EntryCompanions, isImage, type Phase } from './step.ts';
import type { WantedEntry } from './wanted.ts';

/** The image that an entry boots, and its kind. */
interface Booted {
  readonly image: EspPath;
  readonly kind: ImageKind;
}

/** Returns the companions that an entry on an ESP gets: none when it boots a bare kernel. */
export function companionsOf(
  entry: EntryFile,
  companions: readonly Companion[],
): readonly EspPath[] {
  return taken(bootedBy(entry), companions);
}

/**
 * Returns what the entries of a plan get when it is carried out, those that get nothing left out.
 * @param entries IDs of all our entries then
 */
export function companionsAfter(
  entries: readonly string[],
  wanted: readonly WantedEntry[],
  found: { readonly entries: readonly EntryFile[]; readonly companions?: readonly Companion[] },
  phases: readonly Phase[],
): readonly EntryCompanions[] {
  const companions = remaining(found.companions ?? [], phases);
  if (companions.length === 0) return [];
  const booted = new Map([
    ...found.entries.map((entry) => [entry.id, bootedBy(entry)] as const),
    ...wanted.map((entry) => [entry.id, bootedByWanted(entry)] as const),
  ]);
  return entries.flatMap((entry) => {
    const files = taken(booted.get(entry), companions);
    return files.length > 0 ? [{ entry, files }] : [];
  });
}

/** Returns the companions on an ESP after these phases. */
function remaining(found: readonly Companion[], phases: readonly Phase[]): readonly Companion[] {
  const steps = phases.flatMap((phase) => phase.steps);
  const gone = new Set(steps.filter(({ kind }) => kind === 'remove').map(({ path }) => path));
  const written = steps.flatMap(({ kind, path }) =>
    kind === 'remove' ? [] : (companionAt(path) ?? []),
  );
  const all = [...found.filter(({ path }) => !gone.has(path)), ...written];
  return [...new Map(all.map((each) => [each.path.toLowerCase(), each])).values()].sort((a, b) =>
    a.path < b.path ? -1 : 1,
  );
}

function taken(booted: Booted | undefined, companions: readonly Companion[]): readonly EspPath[] {
  const rule = booted?.kind.companions;
  if (booted === undefined || rule === undefined) return [];
  const { takes, own } = rule;
  const place = own === undefined ? undefined : `${placeOf(booted.image)}${own}/`.toLowerCase();
  const isOwn = (path: EspPath) => place !== undefined && path.toLowerCase().startsWith(place);
  return companions
    .filter(({ kind, image, path }) => (image === undefined ? takes.includes(kind) : isOwn(path)))
    .map(({ path }) => path);
}

/** A stub looks for its own companions under the name of its image without a boot counter. */
function placeOf(image: EspPath): string {
  const name = fileName(image);
  return image.slice(0, image.length - name.length) + entryId(name);
}

function bootedBy({ path, pointer, sections = [] }: EntryFile): Booted | undefined {
  if (pointer?.to) return { image: pointer.to.image, kind: IMAGES.uki };
  if (path.toLowerCase().startsWith(`${ENTRIES}/`)) return undefined;
  return { image: path, kind: imageKindOf(IMAGE_KINDS, sections) };
}

function bootedByWanted({ file, part, blobs: [image] }: WantedEntry): Booted | undefined {
  if (part && image) return { image: image.path, kind: IMAGES.uki };
  return isImage(file.content) ? { image: file.path, kind: IMAGES[file.content.kind] } : undefined;
}
