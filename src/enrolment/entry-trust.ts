/** Which boot entries on an ESP firmware would refuse with keys that are about to be enrolled. */
import type { Context } from '../context.ts';
import type { OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { EntryFile } from '../esp/inventory.ts';
import { scanInventory } from '../esp/scan-inventory.ts';
import type { FirmwareKeys } from '../inspection/firmware-trust.ts';
import { programSignatures } from '../inspection/program-signatures.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import type { Settings } from '../settings/settings.ts';

/** Returns a sentence for each program that an entry starts and that these keys do not let start. */
export function refusedEntries(
  root: string,
  keys: FirmwareKeys,
  settings: Settings,
  context: Context,
): readonly string[] {
  const inventory = scanInventory(context.disk, root, settings['entry-token'], IMAGE_KINDS);
  const programs = new Set(inventory.entries.flatMap((entry) => programsOf(entry, root, context)));
  return [...programs].flatMap((path) => {
    const problem = problemOf(path, keys, context);
    return problem === undefined ? [] : [`${path}: ${problem}; with these keys it will not start`];
  });
}

/** The image itself, or of an entry in words the programs that it names; an initrd is none. */
function programsOf(
  { path, references }: EntryFile,
  root: string,
  { disk }: Context,
): readonly string[] {
  const own = `${root}/${path}`;
  if (isProgram(own, disk)) return [own];
  return references.map((each) => `${root}/${each}`).filter((each) => isProgram(each, disk));
}

function isProgram(path: string, disk: Context['disk']): boolean {
  return (
    withFile(path, disk, (file) => Buffer.from(file.read(0, 2)).toString('latin1') === 'MZ') ===
    true
  );
}

function problemOf(path: string, keys: FirmwareKeys, { disk }: Context): string | undefined {
  return withFile(path, disk, (file) => {
    const { starts, signatures } = programSignatures(file, path, {
      firmware: keys,
      certificates: [],
    });
    if (starts !== false) return undefined;
    return signatures.length === 0 ? 'it is not signed' : 'its signature is not valid for db';
  });
}

/** What cannot be read is for `verify` to tell. */
function withFile<Result>(
  path: string,
  disk: Context['disk'],
  work: (file: OpenFile) => Result,
): Result | undefined {
  try {
    if (disk.linkStat(path)?.kind !== 'file') return undefined;
    using file = disk.open(path);
    return work(file);
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
