/** The records of one ESP for systemd-pcrlock: what the firmware will measure when it boots from there. */
import { parseEntryName } from '../../esp/layout.ts';
import {
  ENTRY_COMPONENT,
  isVariantName,
  LOADER_COMPONENT,
  MAX_VARIANTS,
  variantNames,
} from '../../measure/component.ts';
import { formatPcrlock, programRecord } from '../../measure/pcrlock.ts';
import type { Plan } from '../../plan/step.ts';
import { idOf } from '../../plan/wanted.ts';
import { programDigests } from '../../transaction/program-digests.ts';
import { scanBootTree } from '../survey/boot-tree.ts';
import type { Survey } from '../survey/survey.ts';
import {
  findVariants,
  loaderRecord,
  type Recorded,
  readRecord,
  type Variant,
} from './program-records.ts';

/** What is to be done to the directory, and what a person should know. Paths are absolute. */
export interface Overdue {
  readonly writes: ReadonlyMap<string, string>;
  /** Targets by the path of their link. */
  readonly links: ReadonlyMap<string, string>;
  readonly removals: readonly string[];
  readonly warnings: readonly string[];
}

/** Compares the records with what boots from the ESP now, and changes nothing. */
export async function overdueRecords(recorded: Recorded, survey: Survey): Promise<Overdue> {
  const [entries, loader] = [
    await overdueEntries(recorded, survey),
    await overdueLoader(recorded, survey),
  ];
  return {
    writes: new Map([...entries.writes, ...loader.writes]),
    links: entries.links,
    removals: [...entries.removals, ...loader.removals],
    warnings: [...entries.warnings, ...loader.warnings],
  };
}

/**
 * A record lies under the ID of its entry, and so is known to be of that one; a link beside it has the
 * name that systemd-pcrlock goes by.
 */
async function overdueEntries(recorded: Recorded, survey: Survey): Promise<Overdue> {
  const { root, directory, context } = recorded;
  const { disk } = context;
  const token = survey.settings['entry-token'];
  const { inventory } = scanBootTree(root, token, context);
  const { variants, warnings } = await findVariants(recorded, inventory, survey);
  const component = `${directory}/${ENTRY_COMPONENT}`;
  const writes = variants
    .map(({ id, text }) => [`${component}/${id}`, text] as const)
    .filter(([path, text]) => readRecord(path, disk) !== text);
  const links = variantNames(variants);
  const missing = [...links]
    .map(([name, id]) => [`${component}/${name}`, id] as const)
    .filter(([path, id]) => disk.readLink(path) !== id);
  const expected = new Set([...links.keys(), ...variants.map(({ id }) => id)]);
  const stale = (disk.list(component) ?? [])
    .filter(({ name, kind }) => kind !== 'directory' && !expected.has(name))
    .map(({ name }) => name);
  const removals = [
    ...stale.filter(isVariantName),
    ...stale.filter((name) => parseEntryName(token, name) !== undefined),
  ];
  return {
    writes: new Map(writes),
    links: new Map(missing),
    removals: removals.map((name) => `${component}/${name}`),
    warnings: [...warnings, ...describeVariants(variants)],
  };
}

/** A loader that nobody vouches for leaves what is expected as it was. */
async function overdueLoader(
  { root, directory, context: { disk } }: Recorded,
  survey: Survey,
): Promise<Overdue> {
  const { text, warning } = await loaderRecord(root, survey, disk);
  const component = `${directory}/${LOADER_COMPONENT.directory}`;
  const current = `${component}/${LOADER_COMPONENT.current}`;
  const next = `${component}/${LOADER_COMPONENT.next}`;
  const isNew = text !== undefined && readRecord(current, disk) !== text;
  const isGone = text === undefined && warning === undefined;
  return {
    writes: new Map(isNew ? [[current, text]] : []),
    links: new Map(),
    removals: (isGone ? [current, next] : [next]).filter((path) => disk.linkStat(path)),
    warnings: warning === undefined ? [] : [warning],
  };
}

/** Whether there is something to do. */
export function isOverdue({ writes, links, removals }: Overdue): boolean {
  return writes.size + links.size + removals.length > 0;
}

/** Brings the directory in line. Nothing boots from it. */
export async function renewRecords(
  { directory, context: { disk, now } }: Recorded,
  { writes, links, removals }: Overdue,
): Promise<void> {
  const folders = [LOADER_COMPONENT.directory, ENTRY_COMPONENT].map(
    (name) => `${directory}/${name}`,
  );
  for (const folder of folders) disk.makeDirectory(folder, 'everyone');
  for (const [path, text] of writes) await disk.replaceText(path, `${text}\n`, 'everyone');
  for (const [path, target] of links) disk.makeLink(path, target, now * 1000);
  // SAFETY: records only predict. Of what boots from the ESP now, each one is there and durable.
  for (const path of removals) disk.remove(path);
  for (const folder of folders) disk.syncDirectory(folder);
}

/**
 * Before a plan is carried out: forgets the records of images that will be written anew under the same
 * name, and says what the loader is about to be.
 */
export async function announce(
  { directory, context: { disk }, made }: Recorded,
  plan: Plan,
): Promise<void> {
  const component = `${directory}/${ENTRY_COMPONENT}`;
  const steps = plan.phases.flatMap((phase) => phase.steps);
  const rewritten = new Set(
    steps.flatMap(({ kind, path }) => (kind === 'write' ? idOf(path) : [])),
  );
  for (const id of rewritten) {
    made.delete(id);
    // SAFETY: records only predict. After power loss this entry has none, its link leads nowhere,
    // which systemd-pcrlock passes over, and the next run makes one.
    disk.remove(`${component}/${id}`);
  }
  const loader = plan.phases.find(({ name }) => name === 'loader')?.steps[0];
  if (loader?.kind !== 'replace') return;
  const folder = `${directory}/${LOADER_COMPONENT.directory}`;
  disk.makeDirectory(folder, 'everyone');
  const text = formatPcrlock([programRecord(await programDigests(loader.content, disk))]);
  await disk.replaceText(`${folder}/${LOADER_COMPONENT.next}`, `${text}\n`, 'everyone');
}

function describeVariants(variants: readonly Variant[]): string[] {
  const count = new Set(variants.map(({ text }) => text)).size;
  if (count <= MAX_VARIANTS) return [];
  return [
    `${count} different programs boot from the ESP, and systemd-pcrlock makes no policy for more than ${MAX_VARIANTS}: keep fewer generations with --limit`,
  ];
}
