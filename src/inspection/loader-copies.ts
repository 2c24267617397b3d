/** The two copies of the boot loader on an ESP, as they are found. */

import type { Context } from '../context.ts';
import type { Disk, OpenFile } from '../disk/disk.ts';
import { type EspPath, loaderPlaces } from '../esp/layout.ts';
import { architecture } from '../loader/architecture.ts';
import { type LoaderIdentity, loaderIdentity } from '../loader/systemd-boot.ts';
import type { Settings } from '../settings/settings.ts';
import type { Verifier } from '../signer/signer.ts';

/** One copy of the loader. */
export interface LoaderStatus {
  readonly path: EspPath;
  readonly is: string;
  /** Why firmware would not start it, as far as can be told; another's loader is none of our concern. */
  readonly problem?: string;
}

/** Nix’s name for the architectures that Node runs on. */
const SYSTEMS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux',
  ia32: 'i686-linux',
  arm64: 'aarch64-linux',
  arm: 'armv7l-linux',
  riscv64: 'riscv64-linux',
  loong64: 'loongarch64-linux',
};

/** Looks at both copies; with a certificate in the settings, at their signatures too. */
export async function loaderCopies(
  root: string,
  settings: Settings,
  { disk }: Context,
): Promise<readonly LoaderStatus[]> {
  const places = loaderPlaces(architecture(settings.system ?? SYSTEMS[process.arch] ?? ''));
  const verifier = await findVerifier(settings, disk);
  const copies: LoaderStatus[] = [];
  for (const path of Object.values(places)) {
    copies.push({ path, ...(await look(`${root}/${path}`, verifier, disk)) });
  }
  return copies;
}

async function findVerifier({ certificate }: Settings, disk: Disk): Promise<Verifier | undefined> {
  if (certificate === undefined) return undefined;
  const { loadVerifier } = await import('../signer/pem.ts');
  return loadVerifier(certificate, disk);
}

async function look(
  path: string,
  verifier: Verifier | undefined,
  disk: Disk,
): Promise<Omit<LoaderStatus, 'path'>> {
  if (disk.linkStat(path)?.kind !== 'file') return { is: 'absent', problem: 'it is not there' };
  using file = disk.open(path);
  const identity = loaderIdentity(file);
  const is = nameOf(identity);
  if (identity.kind === 'malformed') return { is, problem: identity.because };
  const signed = identity.kind === 'foreign' || !verifier || (await isSigned(file, verifier));
  return signed ? { is } : { is, problem: 'its signature is not valid for the certificate' };
}

function nameOf(identity: LoaderIdentity): string {
  return identity.kind === 'systemd-boot' ? `systemd-boot ${identity.version}` : identity.kind;
}

async function isSigned(file: OpenFile, verifier: Verifier): Promise<boolean> {
  const { judgeSignature } = await import('./signature.ts');
  return judgeSignature(file, verifier) === 'valid';
}
