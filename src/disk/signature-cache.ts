/** Remembers signatures between runs, of policies and of addons: they are no secret, and each is checked before it is used. */
import { dirname, join } from 'node:path';
import { EspError } from '../error.ts';
import type { WritableDisk } from './disk.ts';
import { isTrusted } from './own-file.ts';

/** Signatures by a name for what was signed. Deleting them costs only time, or a question to a key. */
export interface SignatureCache {
  get(name: string): Uint8Array | undefined;
  put(name: string, signature: Uint8Array): void;
  /** Writes what this run used, if it added anything. A failure costs the next run its time. */
  save(): Promise<void>;
}

const VERSION = 1;
/** In bytes. Room for some ten thousand signatures. */
const SIZE_LIMIT = 8 * 1024 * 1024;

/** Opens one of the caches in a directory. One that is missing, broken, foreign or open to others is empty. */
export function openSignatureCache(
  disk: WritableDisk,
  directory: string,
  kind: 'policies' | 'addons',
): SignatureCache {
  const path = join(directory, `${kind}.json`);
  const known = new Map(load(disk, path));
  const used = new Map<string, string>();
  let learned = false;
  return {
    get(name) {
      const text = used.get(name) ?? known.get(name);
      if (text === undefined) return undefined;
      used.set(name, text);
      return Buffer.from(text, 'base64');
    },
    put(name, signature) {
      used.set(name, Buffer.from(signature).toString('base64'));
      learned = true;
    },
    async save() {
      if (!learned) return;
      try {
        disk.makeDirectory(directory);
        if (!isTrusted(disk, directory, 'directory')) return;
        const document = { version: VERSION, signatures: Object.fromEntries(used) };
        await disk.replaceText(path, `${JSON.stringify(document)}\n`);
      } catch (error) {
        if (!(error instanceof EspError)) throw error;
      }
    },
  };
}

function load(disk: WritableDisk, path: string): readonly (readonly [string, string])[] {
  try {
    if (!isTrusted(disk, dirname(path), 'directory') || !isTrusted(disk, path, 'file')) return [];
    const parsed: unknown = JSON.parse(new TextDecoder().decode(disk.read(path, SIZE_LIMIT)));
    if (typeof parsed !== 'object' || parsed === null || !('signatures' in parsed)) return [];
    const { signatures } = parsed;
    if (typeof signatures !== 'object' || signatures === null) return [];
    return Object.entries(signatures).flatMap(([name, text]) =>
      typeof text === 'string' ? [[name, text] as const] : [],
    );
  } catch (error) {
    if (error instanceof EspError || error instanceof SyntaxError) return [];
    throw error;
  }
}
