/** Returns the records of what boots from an ESP: existing ones, and new ones for the rest. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { type EspPath, fileName, isProgram, loaderPlaces, parseBlobName } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { ENTRY_COMPONENT, type NamedEntry } from '../measure/component.ts';
import { formatPcrlock, isProgramRecord, programRecord } from '../measure/pcrlock.ts';
import { hasPart, remade } from '../plan/sharing.ts';
import type { Content } from '../plan/step.ts';
import { entriesOf } from '../plan/wanted.ts';
import type { Survey } from '../survey/surveyed.ts';
import { type Program, vouchedDigests } from './vouched-digests.ts';

/** An ESP, and the directory of components that describes what boots from it. */
export interface Recorded {
  readonly target: Target;
  readonly directory: string;
  readonly context: Context;
  /** Records that this run made, by the ID of the entry: a second look costs nothing. */
  readonly made: Map<string, string>;
}

/** An entry of ours, and its record. */
export interface Variant extends NamedEntry {
  readonly text: string;
}

/** Returns our entries that boot, each with its record: an existing one or a new one. */
export async function findVariants(
  recorded: Recorded,
  inventory: Inventory,
  survey: Survey,
): Promise<{ variants: readonly Variant[]; warnings: readonly string[] }> {
  const { target, directory, context, made } = recorded;
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
      : await makeRecord(path, survey, target.tree, {
          path: `${target.root}/${path}`,
          recipe: recipeOf(entry, path, inventory, survey),
          isNamed: () => hasItsName(entry, path, inventory, recorded),
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
  { target, context }: Pick<Recorded, 'target' | 'context'>,
): Promise<boolean> {
  const { examine } = await import('../inspection/examination.ts');
  const blobs = inventory.blobs.filter(({ path }) => path === program);
  const examined = await examine(target, { ...inventory, entries: [entry], blobs }, context);
  return [...examined.entries, ...examined.blobs].every(({ damage }) => damage === undefined);
}

/** A record, or why there is none. */
interface Made {
  readonly text?: string;
  readonly warning?: string;
}

/**
 * Makes the record of a program on the ESP. A program that cannot be read costs its own record
 * only.
 */
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

/**
 * Returns the program that systemd-boot starts for an entry: the entry itself, or the one it names.
 */
function programOf({ path, name, references }: EntryFile): EspPath | undefined {
  if (!name || isProgram(name)) return path;
  return references.find((reference) => {
    const blob = parseBlobName(fileName(reference));
    return blob !== undefined && isProgram(blob);
  });
}

/** How a program is made; unknown for a shared image of which some entries are not wanted any more. */
function recipeOf(
  { id }: EntryFile,
  program: EspPath,
  { blobs }: Inventory,
  survey: Survey,
): Content | undefined {
  const entries = entriesOf(survey);
  const wanted = entries.find((candidate) => candidate.id === id);
  if (!wanted) return undefined;
  const { path, profiles = [] } = blobs.find((blob) => blob.path === program) ?? { path: program };
  if (wanted.part) return remade({ path, profiles }, entries.filter(hasPart))?.content;
  const blob = wanted.blobs.find(({ path }) => path === program);
  return blob ? blob.content : wanted.file.content;
}

/** Returns the record of the loader. When there is no loader, returns no record and no warning. */
export async function loaderRecord({ root, tree }: Target, survey: Survey): Promise<Made> {
  const path = loaderPlaces(survey.architecture).systemd;
  if (tree.linkStat(`${root}/${path}`)?.kind !== 'file') return {};
  const recipe = { kind: 'file', path: survey.loader.path } as const;
  // The loader's name is fixed, so it cannot tell the version. An old one would have been replaced.
  const isNamed = async () => true;
  return makeRecord(path, survey, tree, { path: `${root}/${path}`, recipe, isNamed });
}

/** In bytes. A record has some 500. */
const RECORD_LIMIT = 4096;

/** Returns the record in a file, unless it is damaged. */
export function readRecord(path: string, disk: Disk): string | undefined {
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file' || stat.size > RECORD_LIMIT) return undefined;
  const text = new TextDecoder().decode(disk.read(path, RECORD_LIMIT)).trimEnd();
  return isProgramRecord(text) ? text : undefined;
}
