/** Systems that had an entry of this machine, remembered between runs: by them it knows its old entries. */
import { dirname, join } from 'node:path';
import type { WritableDisk } from '../disk/disk.ts';
import { isTrusted } from '../disk/own-file.ts';
import { EspError } from '../error.ts';

/** Raised whenever the meaning of the file changes; one with another number is not read. */
const VERSION = 1;
const FILE_NAME = 'systems.json';
/** Bytes; a system has some eighty. */
const SIZE_LIMIT = 1024 * 1024;
/** The newest so many are kept: more than an ESP has entries, many times over. */
const MAX_SYSTEMS = 5000;

const [USUAL_CACHE, USUAL_STATE] = ['/var/cache/espalier', '/var/lib/espalier'];

/** What protects another machine's entries is no cache: whoever empties caches must not lose it. */
const stateBeside = (cache: string) => (cache === USUAL_CACHE ? USUAL_STATE : cache);

/**
 * Reads what is remembered: beside pins where the cache lies at its usual place, else in the cache.
 * Earlier versions kept it in the cache always.
 */
export function recallSystems(disk: WritableDisk, cache: string): ReadonlySet<string> | undefined {
  return recallFrom(disk, stateBeside(cache)) ?? recallFrom(disk, cache);
}

/**
 * Reads what a directory remembers; undefined when it is missing, broken or open to others. A system
 * that someone else planted would let us remove his neighbour's entries for ours.
 */
function recallFrom(disk: WritableDisk, directory: string): ReadonlySet<string> | undefined {
  const path = join(directory, FILE_NAME);
  try {
    if (!isTrusted(disk, directory, 'directory') || !isTrusted(disk, path, 'file'))
      return undefined;
    const parsed: unknown = JSON.parse(new TextDecoder().decode(disk.read(path, SIZE_LIMIT)));
    return isCurrent(parsed) ? new Set(parsed.systems) : undefined;
  } catch (error) {
    if (error instanceof EspError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Remembers systems beside those that are remembered already. Writes nothing when all of them are. */
export async function rememberSystems(
  systems: readonly string[],
  disk: WritableDisk,
  cache: string,
): Promise<void> {
  const directory = stateBeside(cache);
  const there = recallFrom(disk, directory);
  if (there !== undefined && systems.every((system) => there.has(system))) return;
  const before = there ?? recallFrom(disk, cache) ?? new Set<string>();
  const kept = [...new Set([...before, ...systems])].slice(-MAX_SYSTEMS);
  const path = join(directory, FILE_NAME);
  try {
    disk.makeDirectory(directory);
    if (!isTrusted(disk, dirname(path), 'directory')) return;
    await disk.replaceText(path, `${JSON.stringify({ version: VERSION, systems: kept })}\n`);
  } catch (error) {
    // What is not remembered is decided by the ESP as a whole, as at the first run.
    if (!(error instanceof EspError)) throw error;
  }
}

function isCurrent(value: unknown): value is { readonly systems: readonly string[] } {
  if (typeof value !== 'object' || value === null) return false;
  if (!('version' in value && 'systems' in value) || value.version !== VERSION) return false;
  return Array.isArray(value.systems) && value.systems.every((each) => typeof each === 'string');
}
