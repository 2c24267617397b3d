/** The database of a Nix store in an image, made by nix-store (Nix manual, nix-store --load-db). */
import { join } from 'node:path';
import { EspError } from '../error.ts';
import type { Contents } from '../tree/contents.ts';
import type { Workshop } from './request.ts';
import { findTool, NIX_STORE, runTool } from './tool.ts';

const LEAST = { version: '2.3' };
/** In bytes: some hundred thousand store paths. */
const MAX_REGISTRATION = 256 * 1024 * 1024;
const DATABASE = '/nix/var/nix/db';
const MAX_SCHEMA = 64;

/**
 * Returns contents with the database of each closure that asks for one. A first start that loads the
 * registration is not needed then.
 * @param time when paths were registered, in seconds since the epoch
 * @throws {CONFIG_INVALID} when there is no registration to make it from
 * @throws {TOOL_MISSING} when nix-store is not there
 * @throws {TOOL_FAILED} when it refuses the registration
 */
export async function withNixDatabases(
  contents: readonly Contents[],
  time: number,
  workshop: Workshop,
): Promise<readonly Contents[]> {
  const all: Contents[] = [];
  for (const declaration of contents) {
    all.push(declaration);
    if (declaration.kind !== 'closure' || declaration.database !== true) continue;
    const { registration, list } = declaration;
    if (registration === undefined) {
      throw new EspError(
        'CONFIG_INVALID',
        `${list}: a database is made from a registration, and none is given`,
      );
    }
    all.push(...(await databaseOf(registration, time, workshop)));
  }
  return all;
}

async function databaseOf(
  registration: string,
  time: number,
  workshop: Workshop,
): Promise<readonly Contents[]> {
  const { disk } = workshop;
  const tool = findTool(NIX_STORE, LEAST, workshop);
  const state = disk.makeTemporary(workshop.scratch, 'nix-');
  const hostPath = disk.hostPath(state) ?? state;
  const input = [disk.read(registration, MAX_REGISTRATION)];
  const environment = {
    ...{ NIX_REMOTE: 'local', NIX_STATE_DIR: hostPath, NIX_LOG_DIR: join(hostPath, 'log') },
    HOME: hostPath,
  };
  await runTool(tool, { argv: ['--load-db'], input, environment }, workshop);
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(hostPath, 'db/db.sqlite'));
  try {
    // The time of day is in every row. A copy has no old bytes in its free places.
    database.exec(`UPDATE ValidPaths SET registrationTime = ${Math.max(1, time)}`);
    database.exec(`VACUUM INTO '${join(hostPath, 'steady.sqlite').replaceAll("'", "''")}'`);
  } finally {
    database.close();
  }
  const schema = new TextDecoder().decode(disk.read(join(state, 'db/schema'), MAX_SCHEMA));
  return [
    {
      kind: 'copy',
      source: join(state, 'steady.sqlite'),
      target: `${DATABASE}/db.sqlite`,
      mode: 0o644,
    },
    { kind: 'text', target: `${DATABASE}/schema`, text: schema },
  ];
}
