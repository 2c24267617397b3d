/** Reads the two copies of the boot loader on an ESP. */
import type { Context } from '../context.ts';
import type { Disk, OpenFile } from '../disk/disk.ts';
import { loaderPlaces } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { type Architecture, hostArchitecture } from '../loader/architecture.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import type { LoaderSignature } from '../loader/upgrade.ts';
import type { JudgesSignature } from '../pe/carried-signature.ts';
import { type LoaderStatus, loaderStatus } from '../plan/loader-status.ts';
import type { LoaderView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import type { Verifier } from '../signer/signer.ts';

/** How the copies are judged. */
export interface Judging {
  readonly architecture: Architecture;
  readonly verifier: Verifier | undefined;
  /** Tells of a signature whether firmware refuses the very program that it is over. */
  readonly bans?: JudgesSignature | undefined;
}

/**
 * Returns how to judge loaders by the settings alone: as the named system does, or else this
 * machine.
 * @throws {KEY_INVALID} when the certificate file holds none
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

/** Returns the state of both copies below a mount point. Throws as {@link judgingFor} does. */
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

/** Reads both copies, and judges their signatures when there is a verifier. */
export async function viewLoaders(
  { root, tree }: Pick<Target, 'root' | 'tree'>,
  judging: Judging,
): Promise<readonly LoaderView[]> {
  const views: LoaderView[] = [];
  const { architecture } = judging;
  const places = loaderPlaces(architecture);
  for (const place of ['systemd', 'fallback'] as const) {
    const path = places[place];
    const found = await view(`${root}/${path}`, judging, tree);
    const { installed } = found;
    const isForOther =
      installed.kind === 'systemd-boot' && installed.machine !== architecture.machine;
    views.push({ place, path, ...found, ...(isForOther ? { isForOther } : {}) });
  }
  return views.map((each) => asDamaged(each, views, { root, tree }));
}

const SECTOR = 512;
/** Of the sectors of a program, how many damage may change, and it is still seen whose it was. */
const DAMAGED_PART = 0.5;

/**
 * What has the fallback path and is not systemd-boot is another system's. But damage can hit the very bytes
 * by which our copy is known: it is then as long as the other copy, and hardly differs from it.
 */
function asDamaged(
  view: LoaderView,
  [own]: readonly LoaderView[],
  { root, tree }: Pick<Target, 'root' | 'tree'>,
): LoaderView {
  const isCopy = view.installed.kind === 'foreign' && view.size === own?.size;
  if (!isCopy || own.installed.kind !== 'systemd-boot') return view;
  using found = tree.open(`${root}/${view.path}`);
  using whole = tree.open(`${root}/${own.path}`);
  const sectors = Math.ceil(whole.size / SECTOR);
  let differing = 0;
  for (let offset = 0; offset < whole.size; offset += SECTOR) {
    const [one, other] = [found, whole].map((file) => file.read(offset, SECTOR));
    if (one === undefined || other === undefined || Buffer.compare(one, other) !== 0) differing++;
  }
  if (differing > sectors * DAMAGED_PART) return view;
  const because = `it differs from ${own.path} in ${differing} of ${sectors} sectors, and is no systemd-boot any more`;
  return { ...view, installed: { kind: 'malformed', because } };
}

async function view(
  path: string,
  judging: Judging,
  disk: Disk,
): Promise<Omit<LoaderView, 'place' | 'path'>> {
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file') {
    const kind = stat?.kind === 'directory' ? 'directory' : 'absent';
    return { size: stat?.size ?? 0, installed: { kind }, signature: 'not-checked' };
  }
  using file = disk.open(path);
  const installed = loaderIdentity(file);
  const isOurs = installed.kind === 'systemd-boot';
  const signature = isOurs ? await judge(file, judging) : 'not-checked';
  return { size: stat.size, installed, signature };
}

// Loading cryptography costs as much as the rest of an idle run, so only a run that signs does it.
async function judge(file: OpenFile, { verifier, bans }: Judging): Promise<LoaderSignature> {
  if (verifier === undefined) return 'not-checked';
  const { judgeSignature } = await import('./signature.ts');
  return judgeSignature(file, verifier, bans);
}
