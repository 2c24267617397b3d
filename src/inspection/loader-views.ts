/** Reads the copies of the boot loader on an ESP, and the one before them. */
import { type ByteSource, bytesSource } from '../byte-source.ts';
import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { type EspPath, loaderPlaces } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { type Architecture, hostArchitecture } from '../loader/architecture.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import type { LoaderSignature } from '../loader/upgrade.ts';
import type { JudgesSignature } from '../pe/carried-signature.ts';
import { type LoaderStatus, loaderStatus, statusesOf } from '../plan/loader-status.ts';
import type { LoaderView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import type { Verifier } from '../signer/signer.ts';

/** How the copies are judged. */
export interface Judging {
  readonly architecture: Architecture;
  readonly verifier: Verifier | undefined;
  /** Tells of a signature whether firmware refuses the very program that it is over. */
  readonly bans?: JudgesSignature | undefined;
  /** The version that may replace them; absent where nothing is to be installed. */
  readonly brought?: string;
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

/** Returns the state of the loaders below a mount point. Throws as {@link judgingFor} does. */
export async function loaderStatuses(
  root: string,
  settings: Pick<Settings, 'certificate' | 'system'>,
  context: Context,
): Promise<readonly LoaderStatus[]> {
  const views = await viewLoaders(
    { root, tree: context.disk },
    await judgingFor(settings, context),
  );
  return statusesOf(views);
}

/** Reads both copies and the previous loader, and judges their signatures when there is a verifier. */
export async function viewLoaders(
  { root, tree }: Pick<Target, 'root' | 'tree'>,
  judging: Judging,
): Promise<readonly LoaderView[]> {
  const { architecture } = judging;
  const views: LoaderView[] = [];
  const places = loaderPlaces(architecture);
  for (const place of ['systemd', 'fallback', 'previous'] as const) {
    const path = places[place];
    const found = await view(`${root}/${path}`, judging, tree);
    const { installed } = found;
    const isForOther =
      installed.kind === 'systemd-boot' && installed.machine !== architecture.machine;
    views.push({ place, path, ...found, ...(isForOther ? { isForOther } : {}) });
  }
  const judged = views.map((each) => asDamaged(each, views, { root, tree }));
  if (!mayRotate(judged, judging)) return judged;
  return withDigest(judged, (path) => tree.read(`${root}/${path}`, MAX_LOADER), judging);
}

/** In bytes. */
const MAX_LOADER = 16 * 1024 * 1024;

/** Whether the first copy may become the previous loader: it is about to be replaced, or that one is bad. */
function mayRotate([own, , previous]: readonly LoaderView[], { brought }: Judging): boolean {
  if (own?.installed.kind !== 'systemd-boot' || !previous || brought === undefined) return false;
  if (loaderStatus(own).problem !== undefined) return false;
  const isBad = statusesOf([previous]).some(({ problem }) => problem !== undefined);
  return own.installed.version !== brought || isBad;
}

/**
 * Adds the digest of the first copy if it is whole. What was judged is what has this digest: the file is read
 * once for both. Nothing but an equal copy vouches for a loader without a signature.
 */
async function withDigest(
  [own, copy, ...others]: readonly LoaderView[],
  read: (path: EspPath) => Uint8Array,
  judging: Judging,
): Promise<readonly LoaderView[]> {
  if (!own || !copy) return [];
  const bytes = read(own.path);
  const isWhole = judging.verifier
    ? (await judge(bytesSource(bytes), judging)) === 'valid'
    : copy.installed.kind === 'systemd-boot' && Buffer.compare(bytes, read(copy.path)) === 0;
  return [isWhole ? { ...own, digest: hash(bytes) } : own, copy, ...others];
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
async function judge(file: ByteSource, { verifier, bans }: Judging): Promise<LoaderSignature> {
  if (verifier === undefined) return 'not-checked';
  const { judgeSignature } = await import('./signature.ts');
  return judgeSignature(file, verifier, bans);
}
