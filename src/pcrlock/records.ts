/**
 * The records of one ESP for systemd-pcrlock: what firmware will measure when it boots from there.
 */
import type { WritableDisk } from '../disk/disk.ts';
import {
  ENTRIES,
  type EspPath,
  entryId,
  fileName,
  parseBlobName,
  parseEntryName,
} from '../esp/layout.ts';
import { setNeighboursApart } from '../esp/neighbours.ts';
import { scanInventory } from '../esp/scan-inventory.ts';
import { SECTOR, splitPointer } from '../esp/shared-entry.ts';
import type { Target } from '../esp/target.ts';
import { scanBootTree } from '../inspection/boot-tree.ts';
import {
  ENTRY_COMPONENT,
  isVariantName,
  LOADER_COMPONENT,
  MAX_VARIANTS,
  variantNames,
} from '../measure/component.ts';
import { formatPcrlock, programRecord } from '../measure/pcrlock.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { keyOf } from '../plan/present.ts';
import type { Plan } from '../plan/step.ts';
import { idOf } from '../plan/wanted.ts';
import { programDigests } from '../recipe/program-digests.ts';
import type { Survey } from '../survey/surveyed.ts';
import {
  findVariants,
  loaderRecord,
  type Recorded,
  readRecord,
  type Variant,
} from './program-records.ts';

/** What is to be changed in the directory, and warnings. Paths are absolute. */
export interface Overdue {
  readonly writes: ReadonlyMap<string, string>;
  readonly removals: readonly string[];
  readonly warnings: readonly string[];
}

/** Compares the records with what boots from the ESP now. Changes nothing. */
export async function overdueRecords(recorded: Recorded, survey: Survey): Promise<Overdue> {
  const [entries, loader] = [
    await overdueEntries(recorded, survey),
    await overdueLoader(recorded, survey),
  ];
  return {
    writes: new Map([...entries.writes, ...loader.writes]),
    removals: [...entries.removals, ...loader.removals],
    warnings: [...entries.warnings, ...loader.warnings],
  };
}

/**
 * A record lies under the ID of its entry, which tells whose it is, and again under the name that
 * systemd-pcrlock uses. It is no link: lanzaboote would write through a link, and remove its
 * target.
 */
async function overdueEntries(recorded: Recorded, survey: Survey): Promise<Overdue> {
  const { target, directory, context } = recorded;
  const { disk } = context;
  const token = survey.settings['entry-token'];
  const { ownSystems } = survey;
  const { inventory } = scanBootTree(target, (tree, root) => {
    const scanned = scanInventory(tree, root, token, IMAGE_KINDS);
    return ownSystems ? setNeighboursApart(scanned, ownSystems, disk) : scanned;
  });
  const { variants, warnings } = await findVariants(recorded, inventory, survey);
  const component = `${directory}/${ENTRY_COMPONENT}`;
  const texts = new Map(variants.map(({ id, text }) => [id, text]));
  const named = [...variantNames(variants)].map(
    ([name, id]) => [name, texts.get(id) ?? ''] as const,
  );
  const expected = new Map([...texts, ...named]);
  const writes = [...expected]
    .map(([name, text]) => [`${component}/${name}`, text] as const)
    .filter(([path, text]) => readRecord(path, disk) !== text);
  const stale = (disk.list(component) ?? [])
    .filter(({ name, kind }) => kind !== 'directory' && !expected.has(name))
    .map(({ name }) => name);
  const removals = [
    ...stale.filter(isVariantName),
    ...stale.filter((name) => parseEntryName(token, name) !== undefined),
  ];
  return {
    writes: new Map(writes),
    removals: removals.map((name) => `${component}/${name}`),
    warnings: [...warnings, ...describeVariants(variants)],
  };
}

/** When nobody vouches for a loader, its expected records stay as they are. */
async function overdueLoader(
  { target, directory, context: { disk } }: Recorded,
  survey: Survey,
): Promise<Overdue> {
  const { text, warning } = await loaderRecord(target, survey);
  const component = `${directory}/${LOADER_COMPONENT.directory}`;
  const current = `${component}/${LOADER_COMPONENT.current}`;
  const next = `${component}/${LOADER_COMPONENT.next}`;
  const isNew = text !== undefined && readRecord(current, disk) !== text;
  const isGone = text === undefined && warning === undefined;
  return {
    writes: new Map(isNew ? [[current, text]] : []),
    removals: (isGone ? [current, next] : [next]).filter((path) => disk.linkStat(path)),
    warnings: warning === undefined ? [] : [warning],
  };
}

/** Returns whether there is something to do. */
export function isOverdue({ writes, removals }: Overdue): boolean {
  return writes.size + removals.length > 0;
}

/** Brings the directory in line. Nothing boots from it. */
export async function renewRecords(
  { directory, context: { disk } }: Recorded,
  { writes, removals }: Overdue,
): Promise<void> {
  const folders = [LOADER_COMPONENT.directory, ENTRY_COMPONENT].map(
    (name) => `${directory}/${name}`,
  );
  for (const folder of folders) disk.makeDirectory(folder, 'everyone');
  for (const [path, text] of writes) {
    // SAFETY: records only predict, and everything boots as before. A write would go through a
    // link, so the link goes first; for a moment there is no record.
    if (disk.linkStat(path)?.kind === 'link') disk.remove(path);
    await disk.replaceText(path, `${text}\n`, 'everyone');
  }
  // SAFETY: records only predict, and everything boots as before. The records of what boots now are
  // durable already.
  for (const path of removals) disk.remove(path);
  for (const folder of folders) disk.syncDirectory(folder);
}

/**
 * Runs before a plan is carried out. Removes the records of entries whose image the plan writes anew
 * under the same name, or that it leads to another image, and records the new loader.
 */
export async function announce(
  { directory, context: { disk }, made, target }: Recorded,
  plan: Plan,
): Promise<void> {
  const component = `${directory}/${ENTRY_COMPONENT}`;
  const steps = plan.phases.flatMap((phase) => phase.steps);
  const changed = steps.flatMap(({ kind, path }) =>
    kind === 'write' || kind === 'overwrite' ? path : [],
  );
  const rewritten = new Set([...changed.map(idOf), ...namersOf(changed, target)]);
  for (const id of rewritten) made.delete(id);
  if (rewritten.size > 0) removeRecords(component, rewritten, disk);
  const loader = plan.phases.find(({ name }) => name === 'loader')?.steps[0];
  if (loader?.kind !== 'replace') return;
  const folder = `${directory}/${LOADER_COMPONENT.directory}`;
  disk.makeDirectory(folder, 'everyone');
  const text = formatPcrlock([programRecord(await programDigests(loader.content, disk))]);
  await disk.replaceText(`${folder}/${LOADER_COMPONENT.next}`, `${text}\n`, 'everyone');
}

/** Returns the IDs of entries that name one of these files. */
function namersOf(paths: readonly EspPath[], { root, tree }: Target): readonly string[] {
  const images = new Set(paths.filter((path) => parseBlobName(fileName(path))).map(keyOf));
  if (images.size === 0) return [];
  return (tree.list(`${root}/${ENTRIES}`) ?? []).flatMap(({ name, kind }) => {
    if (kind !== 'file' || !name.toLowerCase().endsWith('.conf')) return [];
    using file = tree.open(`${root}/${ENTRIES}/${name}`);
    const to = splitPointer(file.read(0, Math.min(file.size, SECTOR)))?.pointer.to;
    return to && images.has(keyOf(to.image)) ? [entryId(name)] : [];
  });
}

/** Removes the records of entries, and what was copied from them. */
function removeRecords(component: string, ids: ReadonlySet<string>, disk: WritableDisk): void {
  const there = disk.list(component);
  if (!there) return;
  const variants = there
    .filter(({ name }) => isVariantName(name))
    .map(({ name }) => ({ name, text: readRecord(`${component}/${name}`, disk) }));
  for (const id of ids) {
    const text = readRecord(`${component}/${id}`, disk);
    const copies = variants.filter((variant) => variant.text === text).map(({ name }) => name);
    // SAFETY: records only predict, and the entry boots without one. The next run makes the record.
    for (const name of [...copies, id]) disk.remove(`${component}/${name}`);
  }
  // SAFETY: the barrier. An old record that came back after power loss would pass for the one of the
  // new image, and stay. The entry boots with either.
  disk.syncDirectory(component);
}

function describeVariants(variants: readonly Variant[]): string[] {
  const count = new Set(variants.map(({ text }) => text)).size;
  if (count <= MAX_VARIANTS) return [];
  return [
    `${count} different programs boot from the ESP, and systemd-pcrlock makes no policy for more than ${MAX_VARIANTS}: keep fewer generations with --limit`,
  ];
}
