/** Asks `nix-store` for the closure of a store path. */
import type { Machine } from '../process/machine.ts';
import { storeFailed } from './complaint.ts';

/** Returns the closure of store paths: themselves and everything they refer to. */
export type StoreQuery = (paths: readonly string[]) => Promise<readonly string[]>;

const STORE = '/nix/store/';

/** Returns the store path that contains a path, or undefined outside the store. */
export function storePathOf(path: string): string | undefined {
  if (!path.startsWith(STORE)) return undefined;
  const [name = ''] = path.slice(STORE.length).split('/');
  return name === '' ? undefined : STORE + name;
}

/** Returns the store paths anywhere in a text. Nix itself finds references this way. */
export function storePathsIn(text: string): string[] {
  return [...text.matchAll(/\/nix\/store\/[a-z0-9]{32}-[\w+.?=-]+/g)].map(([path]) => path);
}

/** In bytes. The closure of a whole desktop has a few thousand paths. */
const MAX_ANSWER = 64 * 1024 * 1024;
/** Milliseconds. */
const TIMEOUT = 120_000;

/**
 * Returns a function that asks `nix-store --query --requisites`.
 * @throws {IO} from that function, when nix-store is missing, fails, or takes more than two minutes
 */
export function queryNixStore(machine: Pick<Machine, 'ask'>): StoreQuery {
  return async (paths) => {
    const { status, signal, stdout, messages, error } = machine.ask({
      argv: ['nix-store', '--query', '--requisites', ...paths],
      timeout: TIMEOUT,
      limit: MAX_ANSWER,
      messages: 'kept',
    });
    if (status === 0) {
      return new TextDecoder()
        .decode(stdout)
        .split('\n')
        .filter((line) => line !== '');
    }
    const hint = 'give the closure with --closure FILE, or follow the libraries with --elf';
    const cause =
      error ?? new Error(`nix-store: expected status 0, got ${status ?? signal}${messages}`);
    throw storeFailed('nix-store did not tell the closure', hint, cause);
  };
}
