/** The closure that a Nix store knows: asked of `nix-store`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { storeFailed } from './complaint.ts';

/** Returns the closure of store paths: themselves and everything they refer to. */
export type StoreQuery = (paths: readonly string[]) => Promise<readonly string[]>;

const STORE = '/nix/store/';

/** Returns the store path that a path lies in, or undefined when it lies in none. */
export function storePathOf(path: string): string | undefined {
  if (!path.startsWith(STORE)) return undefined;
  const [name = ''] = path.slice(STORE.length).split('/');
  return name === '' ? undefined : STORE + name;
}

/** Returns the store paths that a text names anywhere: what makes Nix itself see a reference. */
export function storePathsIn(text: string): string[] {
  return [...text.matchAll(/\/nix\/store\/[a-z0-9]{32}-[\w+.?=-]+/g)].map(([path]) => path);
}

/** A closure of a whole desktop is a few thousand paths: bytes. */
const MAX_ANSWER = 64 * 1024 * 1024;
/** Milliseconds. */
const TIMEOUT = 120_000;

/**
 * Asks `nix-store --query --requisites`.
 * @throws {IO} when it is not there, fails, or takes longer than two minutes
 */
export async function queryNixStore(paths: readonly string[]): Promise<readonly string[]> {
  const parameters = ['--query', '--requisites', ...paths];
  try {
    const { stdout } = await promisify(execFile)('nix-store', parameters, {
      maxBuffer: MAX_ANSWER,
      timeout: TIMEOUT,
    });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (cause) {
    const hint = 'give the closure with --closure FILE, or follow the libraries with --elf';
    throw storeFailed('nix-store did not tell the closure', hint, cause);
  }
}
