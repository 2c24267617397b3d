/** The records of one ESP for systemd-pcrlock: what the firmware will measure when it boots from there. */
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { type EntryFile, type Inventory, scanInventory } from '../esp/inventory.ts';
import { type EspPath, espPath, fileName, parseBlobName, parseEntryName } from '../esp/layout.ts';
import {
  ENTRY_COMPONENT,
  isVariantName,
  LOADER_COMPONENT,
  MAX_VARIANTS,
  type NamedEntry,
  variantNames,
} from '../measure/component.ts';
import { formatPcrlock, isProgramRecord, programRecord } from '../measure/pcrlock.ts';
import type { Content, Plan } from '../plan/step.ts';
import { idOf } from '../plan/wanted.ts';
import { programDigests } from '../transaction/program-digests.ts';
import type { Context } from './context.ts';
import type { Survey } from './survey.ts';
import { type Program, vouchedDigests } from './vouched-digests.ts';

/** An ESP, and the directory of components that is to tell what boots from it. */
export interface Recorded {
  /** Where the ESP is mounted. */
  readonly root: string;
  readonly directory: string;
  readonly context: Context;
  /** Records that were made by this run, by the ID of the entry: to look twice costs nothing. */
  readonly made: Map<string, string>;
}

/** What is to be done to the directory, and what a person should know. Paths are absolute. */
export interface Overdue {
  readonly writes: ReadonlyMap<string, string>;
  /** Targets by the path of their link. */
  readonly links: ReadonlyMap<string, string>;
  /** In this order: what points before what is pointed at. */
  readonly removals: readonly string[];
  readonly warnings: readonly string[];
}

/** An entry of ours, and its record. */
interface Variant extends NamedEntry {
  readonly text: string;
}

/**
 * Compares the records with what boots from the ESP now, and changes nothing. A record lies under the
 * ID of its entry, and so is known to be of that one; a link beside it has the name that counts.
 */
export async function overdueRecords(recorded: Recorded, survey: Survey): Promise<Overdue> {
  const { root, directory, context } = recorded;
  const { disk } = context;
  const token = survey.settings['entry-token'];
  const inventory = scanInventory(disk, root, token);
  const { variants, warnings } = await findVariants(recorded, inventory, survey);
  const component = `${directory}/${ENTRY_COMPONENT}`;
  const links = variantNames(variants);
  const expected = new Set([...links.keys(), ...variants.map(({ id }) => id)]);
  const stale = (disk.list(component) ?? [])
    .filter(({ name, kind }) => kind !== 'directory' && !expected.has(name))
    .filter(({ name }) => isVariantName(name) || parseEntryName(token, name) !== undefined)
    .map(({ name }) => name);
  const loader = await loaderRecord(root, survey, disk);
  const loaders = `${directory}/${LOADER_COMPONENT.directory}`;
  const current = `${loaders}/${LOADER_COMPONENT.current}`;
  const next = `${loaders}/${LOADER_COMPONENT.next}`;
  const texts = new Map([
    ...variants.map(({ id, text }) => [`${component}/${id}`, text] as const),
    ...(loader.text === undefined ? [] : [[current, loader.text] as const]),
  ]);
  return {
    writes: new Map([...texts].filter(([path, text]) => readRecord(path, disk) !== text)),
    links: new Map(
      [...links]
        .map(([name, id]) => [`${component}/${name}`, id] as const)
        .filter(([path, id]) => disk.readLink(path) !== id),
    ),
    removals: [
      ...stale.filter(isVariantName).map((name) => `${component}/${name}`),
      ...stale.filter((name) => !isVariantName(name)).map((name) => `${component}/${name}`),
      ...(loader.text === undefined ? [current] : []).filter((path) => disk.linkStat(path)),
      ...[next].filter((path) => disk.linkStat(path)),
    ],
    warnings: [
      ...warnings,
      ...(loader.warning ? [loader.warning] : []),
      ...describeVariants(variants),
    ],
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
  for (const { name } of disk.list(component) ?? []) {
    const target = disk.readLink(`${component}/${name}`);
    // SAFETY: a link that leads nowhere stops systemd-pcrlock, so the link goes before the record.
    if (target !== undefined && rewritten.has(target)) disk.remove(`${component}/${name}`);
  }
  for (const id of rewritten) {
    made.delete(id);
    // SAFETY: after power loss there is no record of this entry, and the next run makes one.
    if (disk.linkStat(`${component}/${id}`)) disk.remove(`${component}/${id}`);
  }
  const loader = plan.phases.find(({ name }) => name === 'loader')?.steps[0];
  if (loader?.kind !== 'replace') return;
  const folder = `${directory}/${LOADER_COMPONENT.directory}`;
  disk.makeDirectory(folder, 'everyone');
  const text = formatPcrlock([programRecord(await programDigests(loader.content, disk))]);
  await disk.replaceText(`${folder}/${LOADER_COMPONENT.next}`, `${text}\n`, 'everyone');
}

/** The entries of ours that boot, each with its record: that which is there, or one that is made now. */
async function findVariants(
  { root, directory, context, made }: Recorded,
  inventory: Inventory,
  survey: Survey,
): Promise<{ variants: readonly Variant[]; warnings: readonly string[] }> {
  const { disk } = context;
  const variants: Variant[] = [];
  const warnings: string[] = [];
  for (const entry of inventory.entries) {
    const { id, name } = entry;
    const path = programOf(entry);
    if (!name || entry.damage !== undefined || path === undefined) continue;
    const known = made.get(id) ?? readRecord(`${directory}/${ENTRY_COMPONENT}/${id}`, disk);
    const { text, warning } = known
      ? { text: known }
      : await makeRecord(path, survey, disk, {
          path: `${root}/${path}`,
          recipe: recipeOf(entry, path, survey),
          isNamed: () => hasItsName(entry, path, inventory, { root, context }),
        });
    if (warning !== undefined) warnings.push(warning);
    if (text === undefined) continue;
    made.set(id, text);
    variants.push({ id, name, text });
  }
  return { variants, warnings };
}

async function hasItsName(
  entry: EntryFile,
  program: EspPath,
  inventory: Inventory,
  { root, context }: Pick<Recorded, 'root' | 'context'>,
): Promise<boolean> {
  const { examine } = await import('./examination.ts');
  const blobs = inventory.blobs.filter(({ path }) => path === program);
  const examined = await examine(root, { ...inventory, entries: [entry], blobs }, context);
  return [...examined.entries, ...examined.blobs].every(({ damage }) => damage === undefined);
}

/** A record, or why there is none. */
interface Made {
  readonly text?: string;
  readonly warning?: string;
}

/** Makes the record of a program on the ESP. One that cannot be read costs its own record and no other. */
async function makeRecord(
  path: EspPath,
  { signer }: Survey,
  disk: Disk,
  program: Program,
): Promise<Made> {
  const warn = (why: string) => ({ warning: `${path} gets no record for systemd-pcrlock: ${why}` });
  try {
    const digests = await vouchedDigests(program, signer, disk);
    return digests ? { text: formatPcrlock([programRecord(digests)]) } : warn(UNVOUCHED);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return warn(explain(error));
  }
}

const UNVOUCHED =
  'it is not what would be installed now, and no signature of ours vouches for it; remove it and run again to have it written anew';

/** The program that systemd-boot starts for an entry: the image, or the kernel that the entry names. */
function programOf({ path, name, references }: EntryFile): EspPath | undefined {
  return name?.kind === 'type1'
    ? references.find((reference) => parseBlobName(fileName(reference))?.kind === 'kernel')
    : path;
}

function recipeOf(
  { id }: EntryFile,
  program: EspPath,
  { musts, wishes }: Survey,
): Content | undefined {
  const wanted = [...musts, ...wishes]
    .flatMap(({ entries }) => entries)
    .find((candidate) => candidate.id === id);
  if (!wanted) return undefined;
  const blob = wanted.blobs.find(({ path }) => path === program);
  return blob ? blob.content : wanted.file.content;
}

async function loaderRecord(root: string, survey: Survey, disk: Disk): Promise<Made> {
  const { loader } = survey.architecture;
  const path = espPath('EFI', 'systemd', loader);
  if (disk.linkStat(`${root}/${path}`)?.kind !== 'file') return {};
  const recipe = { kind: 'file', path: `${survey.efiDirectory}/${loader}` } as const;
  // Its name is fixed: an older one is no damage, and would have been replaced.
  const isNamed = async () => true;
  return makeRecord(path, survey, disk, { path: `${root}/${path}`, recipe, isNamed });
}

function describeVariants(variants: readonly Variant[]): string[] {
  const count = new Set(variants.map(({ text }) => text)).size;
  if (count <= MAX_VARIANTS) return [];
  return [
    `${count} different programs boot from the ESP, and systemd-pcrlock makes no policy for more than ${MAX_VARIANTS}: keep fewer generations with --limit`,
  ];
}

/** A record is some 500 bytes. */
const RECORD_LIMIT = 4096;

/** Returns the record in a file, unless it is damaged. */
function readRecord(path: string, disk: Disk): string | undefined {
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file' || stat.size > RECORD_LIMIT) return undefined;
  const text = new TextDecoder().decode(disk.read(path, RECORD_LIMIT)).trimEnd();
  return isProgramRecord(text) ? text : undefined;
}
