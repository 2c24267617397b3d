/** Computes what `uki build --verity` puts on the command line. */

import type { Context } from '../context.ts';
import type { OpenFile } from '../disk/disk.ts';
import { openBytes } from '../disk/raw-file.ts';
import { EspError } from '../error.ts';
import type { Designator } from '../gpt/partition-type.ts';
import { type DeviceOptions, verityWords } from '../verity/cmdline.ts';
import { rootHashOfPair } from '../verity/computed-root-hash.ts';
import { describeMisnamed } from '../verity/repart-output.ts';
import { chooseRootHash, isRootHash, type RootHash } from '../verity/root-hash.ts';
import { misnamedIn, rootHashesIn, type Source } from '../verity/root-hash-source.ts';
import type { BuildSettings } from './build-settings.ts';
import type { Inputs } from './inputs.ts';
import { misuse } from './misuse.ts';

/** In bytes. The output of systemd-repart for a full table is far shorter. */
const SOURCE_LIMIT = 16 * 1024 * 1024;
const NAME = '--verity';

/**
 * Returns the words for the requested root hashes: that of one file system, or those of root and
 * /usr when the sources tell them apart.
 * @throws {CONFIG_INVALID} when one file system has several, or when it is unclear which one a hash
 * is for
 * @throws {VERITY_MALFORMED} when a source holds no root hash, or data and hash area do not match
 */
export async function verityWordsFor(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<readonly string[]> {
  const devices = deviceOptions(settings);
  if (settings.verity.length === 0) {
    const stray = Object.keys(settings).find(
      (key) => key.startsWith('verity-') && isGiven(settings[key as keyof BuildSettings]),
    );
    if (stray !== undefined) throw misuse(`--${stray}: it is for --verity, which is not given`);
    return [];
  }
  const chosen = choose(await rootHashes(settings, inputs, context), settings['verity-of']);
  if (chosen.length > 1 && Object.keys(devices).length > 0) {
    throw misuse(`${NAME}: it is of root and of usr, and options are for one: give --verity-of`);
  }
  return chosen.flatMap(([designator, { hex }]) =>
    verityWords({ ...devices, designator, rootHash: hex }),
  );
}

function isGiven(value: unknown): boolean {
  return value !== undefined && (!Array.isArray(value) || value.length > 0);
}

function choose(
  found: readonly RootHash[],
  asked: Designator | undefined,
): readonly (readonly [Designator, RootHash])[] {
  const known = found.map(({ designator }) => designator).filter((one) => one !== 'unknown');
  if (asked !== undefined) return [[asked, chooseRootHash(found, asked, NAME)]];
  if (known.length < found.length) {
    throw misuse(`${NAME}: the source does not say what its root hash is of; give --verity-of`);
  }
  if (known.length === 0) throw misuse(`${NAME}: no partition in it has a known root hash`);
  return [...new Set(known)]
    .sort()
    .map((designator) => [designator, chooseRootHash(found, designator, NAME)]);
}

/** How the system finds the devices, where that does not follow from the root hash. */
function deviceOptions(
  settings: BuildSettings,
): Partial<Omit<DeviceOptions, 'designator' | 'rootHash'>> {
  const given = {
    data: settings['verity-data-device'],
    hash: settings['verity-hash-device'],
    hashOffset: settings['verity-hash-offset'],
    dataBlocks: settings['verity-data-blocks'],
    onCorruption: settings['verity-on-corruption'],
    rootHashSignature: settings['verity-signature'],
    others: settings['verity-option'],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => isGiven(value)));
}

async function rootHashes(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<readonly RootHash[]> {
  const [data, ...others] = settings.verity;
  const hashArea = settings['verity-hash-area'];
  if (hashArea === undefined) {
    const sources = settings.verity.map((source) => readSource(source, inputs, context));
    const found = rootHashesIn(sources);
    requireFindable(sources, settings);
    return found;
  }
  if (data === undefined || others.length > 0) {
    throw misuse('--verity-hash-area: expected one --verity with the data');
  }
  const offset = settings['verity-hash-offset'] ?? 0;
  return [await hashData(data, hashArea, offset, inputs, context)];
}

/** Partitions that are left to be found by the root hash have to be named by it. */
function requireFindable(sources: readonly Source[], settings: BuildSettings): void {
  const named = { data: settings['verity-data-device'], hash: settings['verity-hash-device'] };
  const asked = settings['verity-of'];
  const [first] = misnamedIn(sources).filter(
    ({ content, designator }) =>
      named[content] === undefined && (asked === undefined || asked === designator),
  );
  if (first === undefined) return;
  throw new EspError('CONFIG_INVALID', `${NAME}: ${describeMisnamed(first)}`, {
    hint: `leave UUID= out of the partition’s definition, or give --verity-${first.content}-device PARTUUID=${first.got}`,
  });
}

function readSource(source: string, inputs: Inputs, context: Context): Source {
  if (isRootHash(source)) return { name: NAME, content: new TextEncoder().encode(source) };
  using file = openSource(source, inputs, context);
  return { name: source, content: file.read(0, SOURCE_LIMIT) };
}

/** Opens a file or a partition. */
function openSource(path: string, inputs: Inputs, context: Context): OpenFile {
  if (context.disk.stat(path)?.kind === 'file') inputs.file('verity', path);
  return openBytes(path, context);
}

/** Hashes all data, and checks that the whole hash area belongs to them. */
async function hashData(
  dataPath: string,
  hashPath: string,
  offset: number,
  inputs: Inputs,
  context: Context,
): Promise<RootHash> {
  using data = openSource(dataPath, inputs, context);
  using hash = openSource(hashPath, inputs, context);
  const { machine, disk } = context;
  const thread = { machine, path: disk.hostPath(dataPath) };
  const labour = { name: dataPath, thread };
  return await rootHashOfPair({ data, hash, offset }, hashPath, labour);
}
