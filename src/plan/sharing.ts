/** Decides which entries share an image, from the images that an ESP has already. Pure. */
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { type EspPath, isImageBlob } from '../esp/layout.ts';
import { profileId } from '../esp/shared-entry.ts';
import { imageOf, keptImage, type PartEntry, placedIn, profilesIn } from './format/shared-image.ts';
import { compareEntries } from './menu-order.ts';
import { keyOf, ownFiles } from './present.ts';
import { protectedKeys, type Roots } from './roots.ts';
import { entriesOf, mapEntries, type WantedEntry, type WantedFile } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

type Wanted = Pick<WantedSystem, 'musts' | 'wishes'>;

/**
 * How much may move to another image. `all`: where one entry joins, everything that may; `joined`:
 * only what has the kernel and initrd of one that joins; `none`: only what boots from no image.
 */
export type Joining = 'all' | 'joined' | 'none';

/** What an ESP has: images that are whole, where entries lead, and what has to stay. */
interface Ground {
  readonly images: readonly FoundImage[];
  /** Where our entries lead, by the ID of the profile. */
  readonly homes: ReadonlyMap<string, FoundImage>;
  /** Keys of images that stay, because a protected entry boots from them. */
  readonly staying: ReadonlySet<string>;
}

interface FoundImage {
  readonly path: EspPath;
  readonly size: number;
  /** IDs of its profiles, by number. */
  readonly profiles: readonly string[];
}

/**
 * Returns entries that lead to images. An image that a protected entry names stays with all that it
 * serves. Everything else of one kernel and initrd comes together in one image, or in as few as
 * their headers have room for. When nothing joins, nothing moves.
 */
export function shareImages<Given extends Wanted>(
  wanted: Given,
  inventory: Inventory,
  roots: Roots,
  joining: Joining,
): Given {
  const parts = entriesOf(wanted).filter(hasPart);
  if (parts.length === 0) return wanted;
  const ground = groundOf(wanted, inventory, roots);
  const here = new Set(inventory.entries.map(({ id }) => id.toLowerCase()));
  // What may not move does not join either: an entry that is not there is not added by it.
  const moving = joining === 'none' ? parts.filter(({ id }) => here.has(id.toLowerCase())) : parts;
  const groups = [...Map.groupBy(moving, groupOf).values()].map((group) => settle(group, ground));
  const isJoined = ({ rest }: Settled) => rest.some((entry) => !homeOf(entry, ground));
  const joins = joining === 'all' && groups.some(isJoined);
  const placed = new Map(
    groups.flatMap((group) => {
      const moves = joins || (joining === 'joined' && isJoined(group));
      return [...group.placed, ...(moves ? merge(group.rest, ground) : leave(group.rest, ground))];
    }),
  );
  const change = (entry: WantedEntry) => placed.get(entry.id) ?? entry;
  return {
    ...wanted,
    musts: mapEntries(wanted.musts, change),
    wishes: mapEntries(wanted.wishes, change),
  };
}

export function hasPart(entry: WantedEntry): entry is PartEntry {
  return entry.part !== undefined;
}

/** Entries of one group share an image where they can. */
function groupOf({ part: { base } }: PartEntry): string {
  return `${base.directory} ${base.version} ${base.id}`;
}

function groundOf(wanted: Wanted, inventory: Inventory, roots: Roots): Ground {
  const images = inventory.blobs.flatMap((blob): FoundImage[] => {
    const { path, size, name, profiles = [], damage, unsigned, unauthorised } = blob;
    const isWhole = isImageBlob(name) && !(damage ?? unsigned ?? unauthorised);
    return isWhole ? [{ path, size, profiles }] : [];
  });
  const byPath = new Map(images.map((image) => [keyOf(image.path), image]));
  const homes = new Map(
    inventory.entries.flatMap((entry) => {
      const home = leadsTo(entry, byPath);
      return home ? [[profileId(entry.id), home] as const] : [];
    }),
  );
  const musts = entriesOf({ musts: wanted.musts, wishes: [] });
  const named = musts.flatMap(({ id }) => homes.get(profileId(id)) ?? []);
  const kept = protectedKeys(roots, inventory, ownFiles(inventory));
  return { images, homes, staying: new Set([...kept, ...named.map(({ path }) => keyOf(path))]) };
}

function leadsTo(
  { name, pointer, damage }: EntryFile,
  images: ReadonlyMap<string, FoundImage>,
): FoundImage | undefined {
  const to = name && damage === undefined ? pointer?.to : undefined;
  return to && images.get(keyOf(to.image));
}

function homeOf({ id }: PartEntry, { homes }: Ground): FoundImage | undefined {
  return homes.get(profileId(id));
}

type Placed = readonly [id: string, PartEntry];

/** A group of which some entries have an image that stays, and the rest. */
interface Settled {
  readonly placed: readonly Placed[];
  readonly rest: readonly PartEntry[];
}

function settle(group: readonly PartEntry[], ground: Ground): Settled {
  const { images, staying } = ground;
  const stay = images.filter(({ path }) => staying.has(keyOf(path)));
  const place = placerIn(group);
  const placed: Placed[] = [];
  const rest: PartEntry[] = [];
  for (const entry of group) {
    const home = homeOf(entry, ground);
    const image = home && stay.includes(home) ? home : stay.find((each) => serves(each, entry));
    if (image) placed.push(place(entry, image));
    else rest.push(entry);
  }
  return { placed, rest };
}

function serves({ profiles }: FoundImage, { id }: PartEntry): boolean {
  return profiles.includes(profileId(id));
}

/** Moves only what boots from no image. */
function leave(rest: readonly PartEntry[], ground: Ground): Placed[] {
  const place = placerIn(rest);
  const isHomed = (entry: PartEntry) => homeOf(entry, ground) !== undefined;
  const homed = rest.filter(isHomed).flatMap((entry) => {
    const home = homeOf(entry, ground);
    return home ? [place(entry, home)] : [];
  });
  const others = rest.filter((entry) => !isHomed(entry));
  return [...homed, ...(others.length > 0 ? merge(others, ground) : [])];
}

/**
 * Brings entries together in as few images as possible. An image that is there stays when the others
 * then need one image less.
 */
function merge(entries: readonly PartEntry[], { images }: Ground): Placed[] {
  const placed: Placed[] = [];
  const place = placerIn(entries);
  let left = [...entries];
  const served = (image: FoundImage) => left.filter((entry) => serves(image, entry));
  const needed = (count: number) => Math.ceil(count / capacityFor(entries));
  const candidates = images
    .map((image) => ({ image, count: served(image).length }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || (a.image.path < b.image.path ? -1 : 1));
  for (const { image } of candidates) {
    const here = served(image);
    if (needed(left.length - here.length) >= needed(left.length)) continue;
    placed.push(...here.map((entry) => place(entry, image)));
    left = left.filter((entry) => !here.includes(entry));
  }
  return [...placed, ...fresh(left.toSorted(compareEntries))];
}

function capacityFor([entry]: readonly PartEntry[]): number {
  return entry ? profilesIn(entry.part.base, entry.part) : 1;
}

/** New images of entries in the order of the menu. The newest get the one that is not full. */
function fresh(entries: readonly PartEntry[]): Placed[] {
  const [first] = entries;
  if (first === undefined) return [];
  const most = capacityFor(entries);
  const count = entries.length % most || most;
  const together = entries.slice(0, count);
  const image = imageOf(first.part.base, together);
  return [
    ...together.map((entry, at): Placed => [entry.id, placedIn(entry, image, at)]),
    ...fresh(entries.slice(count)),
  ];
}

/** Returns what places an entry of a group in an image that is there. How each is made is found out once. */
function placerIn(group: readonly PartEntry[]): (entry: PartEntry, image: FoundImage) => Placed {
  const files = new Map<FoundImage, WantedFile>();
  return (entry, image) => {
    const file = files.get(image) ?? remade(image, group) ?? keptImage(image.path, image.size);
    files.set(image, file);
    return [entry.id, placedIn(entry, file, image.profiles.indexOf(profileId(entry.id)))];
  };
}

/**
 * Returns how an image of an ESP is made, when all of its profiles are wanted; undefined when some
 * are of entries that are gone.
 */
export function remade(
  { path, profiles }: Pick<FoundImage, 'path' | 'profiles'>,
  entries: readonly PartEntry[],
): WantedFile | undefined {
  const wanted = new Map(entries.map((entry) => [profileId(entry.id), entry]));
  const parts = profiles.map((id) => wanted.get(id));
  const [first] = parts;
  if (!first || !parts.every((part) => part !== undefined)) return undefined;
  const image = imageOf(first.part.base, parts);
  return keyOf(image.path) === keyOf(path) ? { ...image, path } : undefined;
}
