/** The two copies of the boot loader on an ESP, as they are found. */
import type { Context } from '../context.ts';
import type { Disk, OpenFile } from '../disk/disk.ts';
import { loaderPlaces } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { type Architecture, hostArchitecture } from '../loader/architecture.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import { type LoaderStatus, loaderStatus } from '../plan/loader-status.ts';
import type { LoaderView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import type { Verifier } from '../signer/signer.ts';

/** How the copies are judged. */
export interface Judging {
  readonly architecture: Architecture;
  readonly verifier: Verifier | undefined;
}

/**
 * Returns how to judge loaders by the settings alone: those of the named system, else of this machine.
 * @throws {KEY_INVALID} when the certificate is none
 */
export async function judgingFor(
  { certificate, system }: Pick<Settings, 'certificate' | 'system'>,
  { disk }: Context,
): Promise<Judging> {
  const names = hostArchitecture(system);
  if (certificate === undefined) return { architecture: names, verifier: undefined };
  const { loadVerifier } = await import('../signer/pem.ts');
  return { architecture: names, verifier: loadVerifier(certificate, disk) };
}

/** Returns how both copies below a mount point stand. Throws as {@link judgingFor} does. */
export async function loaderStatuses(
  root: string,
  settings: Pick<Settings, 'certificate' | 'system'>,
  context: Context,
): Promise<readonly LoaderStatus[]> {
  const views = await viewLoaders(
    { root, tree: context.disk },
    await judgingFor(settings, context),
  );
  return views.map(loaderStatus);
}

/** Looks at both copies, and at their signatures where somebody can judge them. */
export async function viewLoaders(
  { root, tree }: Pick<Target, 'root' | 'tree'>,
  { architecture, verifier }: Judging,
): Promise<readonly LoaderView[]> {
  const views: LoaderView[] = [];
  const places = loaderPlaces(architecture);
  for (const place of ['systemd', 'fallback'] as const) {
    const path = places[place];
    views.push({ place, path, ...(await view(`${root}/${path}`, verifier, tree)) });
  }
  return views;
}

async function view(
  path: string,
  verifier: Verifier | undefined,
  disk: Disk,
): Promise<Omit<LoaderView, 'place' | 'path'>> {
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file') {
    return { size: stat?.size ?? 0, installed: { kind: 'absent' }, signature: 'not-checked' };
  }
  using file = disk.open(path);
  const installed = loaderIdentity(file);
  const judges = installed.kind === 'systemd-boot' ? verifier : undefined;
  const signature = judges ? await judge(file, judges) : 'not-checked';
  return { size: stat.size, installed, signature };
}

// Cryptography is loaded by the runs that sign: it costs as much as all the rest of an idle one.
async function judge(file: OpenFile, verifier: Verifier): Promise<'valid' | 'invalid'> {
  const { judgeSignature } = await import('./signature.ts');
  return judgeSignature(file, verifier);
}
