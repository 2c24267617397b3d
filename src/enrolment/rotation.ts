/**
 * Tells how far the rotation from db's key to the next one is: which places know and use it
 * already.
 */

import type { Context } from '../context.ts';
import type { Guid } from '../guid.ts';
import { loaderStatuses } from '../inspection/loader-views.ts';
import { EFI_VARIABLES } from '../loader/efi-variables.ts';
import type { WriteMode } from '../secureboot/authenticated-variable.ts';
import { KEY_VARIABLES } from '../secureboot/key-variable.ts';
import type { Settings } from '../settings/settings.ts';
import { additionFile, keysBelow, NEXT } from '../signer/key-directory.ts';
import { type KeyPlace, type KnownCertificate, knownCertificates } from './places.ts';
import { keyPaths } from './set.ts';

/** The stages of a rotation in their order. Each names the last step that was done. */
export type Stage = 'made' | 'offered' | 'trusted' | 'moved' | 'installed';

/** How far a rotation is, and the next step. */
export interface Rotation {
  readonly stage: Stage;
  readonly next: string;
}

/** The places from which that is read. */
export interface RotationPlaces {
  readonly directory: string;
  readonly keys: KeyPlace;
  readonly nextKey: KeyPlace | undefined;
  readonly firmware: KeyPlace;
  readonly roots: readonly string[];
}

/** Returns how far a rotation is, or undefined when there is none. */
export async function rotationOf(
  places: RotationPlaces,
  settings: Settings,
  context: Context,
): Promise<Rotation | undefined> {
  const { directory, keys, nextKey, firmware, roots } = places;
  const trusted = dbOf(firmware);
  const [ours] = dbOf(keys);
  if (nextKey !== undefined) {
    const [next] = dbOf(nextKey);
    return beforeMove(directory, isAmong(next, trusted), context);
  }
  const [former] = trusted.filter(({ owner, fingerprint }) => {
    return isOurs(owner, ours) && fingerprint !== ours?.fingerprint;
  });
  if (former === undefined || !isAmong(ours, trusted)) return undefined;
  const { certificate } = keyPaths(directory, 'db');
  const copies = await Promise.all(
    roots.map((root) => loaderStatuses(root, { ...settings, certificate }, context)),
  );
  // Runs sign the entries anew before the loader, so a loader with the new key means all is signed.
  return copies.flat().some(({ problem }) => problem !== undefined)
    ? { stage: 'moved', next: 'espalier install, with db’s certificate and key' }
    : {
        stage: 'installed',
        next: `start what was installed; then take ${former.fingerprint.slice(0, 16)} out of firmware: espalier keys enroll, then ${handOver(`${roots[0] ?? '…'}/loader/keys/auto/db.auth`, 'replace')}`,
      };
}

function beforeMove(directory: string, isTrusted: boolean, { disk }: Context): Rotation {
  const keys = keysBelow(directory);
  if (isTrusted) {
    return {
      stage: 'trusted',
      next: `mv ${keys}/db ${keys}/db.old && mv ${keys}/${NEXT} ${keys}/db, then espalier install`,
    };
  }
  const addition = additionFile(directory);
  return disk.stat(addition)?.kind === 'file'
    ? { stage: 'offered', next: handOver(addition, 'append') }
    : { stage: 'made', next: 'espalier keys enroll --next' };
}

function dbOf(place: KeyPlace): readonly KnownCertificate[] {
  return knownCertificates([place]).filter(({ variable }) => variable === 'db');
}

function isAmong(one: KnownCertificate | undefined, all: readonly KnownCertificate[]): boolean {
  return all.some(({ fingerprint }) => fingerprint === one?.fingerprint);
}

function isOurs(owner: Guid | null, ours: KnownCertificate | undefined): boolean {
  return owner !== null && owner === ours?.owner;
}

/** Returns the commands, of e2fsprogs and efitools, that hand a write of db to firmware. */
export function handOver(path: string, mode: WriteMode): string {
  // Linux makes the variable immutable, so that nobody removes it by mistake.
  const guard = `${EFI_VARIABLES}/db-${KEY_VARIABLES.db.vendor}`;
  return `chattr -i ${guard} && efi-updatevar ${mode === 'append' ? '-a ' : ''}-f ${path} db`;
}
