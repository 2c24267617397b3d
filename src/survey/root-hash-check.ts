/**
 * Checks that the file systems of a command line's root hashes exist: without them, booting would
 * hang.
 */

import type { Context } from '../context.ts';
import { openBytes } from '../disk/raw-file.ts';
import { EspError } from '../error.ts';
import type { Trouble } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';
import { devicesOnCmdline, type NamedDevice } from '../verity/cmdline.ts';
import type { Labour } from '../verity/data-digests.ts';
import { findPair, judgePair, type PairFinding, type PairOnDisk } from '../verity/disk-pair.ts';
import { describeFinding } from '../verity/finding.ts';
import { isRootHash, partitionUuids } from '../verity/root-hash.ts';

/** Where to look, and how closely. */
export interface Search {
  readonly settings: Pick<Settings, 'disk' | 'allow-directory'>;
  readonly context: Context;
  /** Reads everything that a root hash protects, and not only the top of its tree. */
  readonly deep: boolean;
}

/** udev keeps links to this machine's disks here. */
const DEVICES = '/dev/disk';

/** udev's links, for each kind of device name in /etc/fstab. */
const LINKS: Readonly<Record<string, string>> = {
  PARTUUID: 'by-partuuid',
  PARTLABEL: 'by-partlabel',
  UUID: 'by-uuid',
  LABEL: 'by-label',
};

/**
 * Returns what is wrong with each file system that a command line names by root hash. Nothing is
 * checked when the target is a plain directory and no disk is named: then it is for another
 * machine.
 */
export async function findTroubles(cmdline: string, search: Search): Promise<readonly Trouble[]> {
  const { settings } = search;
  if (settings['allow-directory'] && settings.disk === undefined) return [];
  const troubles: Trouble[] = [];
  for (const device of devicesOnCmdline(cmdline)) {
    const trouble = isRootHash(device.rootHash)
      ? await findTrouble(device, search)
      : wrong(`${device.designator}hash: expected a root hash, got ${device.rootHash}`);
    if (trouble) troubles.push(trouble);
  }
  return troubles;
}

async function findTrouble(device: NamedDevice, search: Search): Promise<Trouble | undefined> {
  const disks = search.settings.disk;
  try {
    return disks === undefined
      ? await lookHere(device, search)
      : await lookOnDisks(device, disks, search);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return unknown(`${device.designator}: ${error.message}`);
  }
}

const wrong = (text: string): Trouble => ({ text, isUnknown: false });
const unknown = (text: string): Trouble => ({ text, isUnknown: true });

/** Searches the disks of this machine. */
async function lookHere(device: NamedDevice, search: Search): Promise<Trouble | undefined> {
  const { designator, rootHash, hashOffset } = device;
  const { host, environment, machine } = search.context;
  const devices = environment['ESPALIER_DEVICES'] ?? DEVICES;
  const uuids = partitionUuids(rootHash);
  const paths = {
    data: pathOf(device.data ?? `PARTUUID=${uuids.data}`, devices),
    hash: pathOf(device.hash ?? `PARTUUID=${uuids.hash}`, devices),
  };
  for (const [content, { path, name }] of Object.entries(paths)) {
    if (path !== undefined && host.stat(path) !== undefined) continue;
    if (path === undefined || host.stat(devices) === undefined) {
      return unknown(`${designator}: there is no telling from here whether ${name} is there`);
    }
    return wrong(`${designator}: its ${content} partition ${name} is not there`);
  }
  const [dataPath, hashPath] = [paths.data.path ?? '', paths.hash.path ?? ''];
  using data = openBytes(dataPath, { disk: host, machine });
  using hash = openBytes(hashPath, { disk: host, machine });
  const { finding } = await judgePair({ data, hash }, hashPath, rootHash, {
    ...(hashOffset === undefined ? {} : { hashOffset }),
    ...(search.deep && {
      deep: {
        ...{ name: dataPath, thread: { machine, path: host.hostPath(dataPath) } },
        ...checking(dataPath, data.size, search.context),
      },
    }),
  });
  return describeFindingAt(finding, designator, dataPath, hashPath);
}

/** Tells whoever waits that data are hashed, and returns what tells how much of them is. */
function checking(
  path: string,
  bytes: number | undefined,
  { progress }: Context,
): Pick<Labour, 'onHashed'> {
  progress?.begin(`checking ${path}`, bytes === undefined ? {} : { bytes });
  return progress ? { onHashed: progress.advance } : {};
}

/** Returns udev's link for a device name of /etc/fstab, or undefined for any other name. */
function pathOf(spec: string, devices: string): { name: string; path: string | undefined } {
  const [, kind = '', value = ''] = /^([A-Z]+)=([^/]+)$/.exec(spec) ?? [];
  const links = LINKS[kind];
  if (links !== undefined) {
    const name = kind.endsWith('UUID') ? value.toLowerCase() : value;
    return { name: spec, path: `${devices}/${links}/${name}` };
  }
  return { name: spec, path: spec.startsWith('/dev/') ? spec : undefined };
}

/** Searches the named disks. The first with one of the partitions counts. */
async function lookOnDisks(
  { designator, rootHash, data, hash, hashOffset }: NamedDevice,
  disks: readonly string[],
  { context, deep }: Search,
): Promise<Trouble | undefined> {
  const uuids = partitionUuids(rootHash);
  const usual = [`PARTUUID=${uuids.data}`, `PARTUUID=${uuids.hash}`];
  const unusual = [data, hash].find((spec) => spec !== undefined && !usual.includes(spec));
  if (unusual !== undefined) {
    return unknown(`${designator}: there is no telling which partition ${unusual} is`);
  }
  let absent: PairOnDisk | undefined;
  for (const path of disks) {
    using disk = openBytes(path, context);
    const pair = await findPair(disk, path, rootHash, {
      ...(hashOffset === undefined ? {} : { hashOffset }),
      ...(deep && { deep: { name: path, ...checking(path, undefined, context) } }),
    });
    if (pair.kind === 'absent') {
      absent ??= pair;
      continue;
    }
    if (pair.kind === 'found') return undefined;
    const called = (number: number) => `${path} partition ${number}`;
    return describeFindingAt(
      pair.finding,
      designator,
      called(pair.data.number),
      called(pair.hash.number),
    );
  }
  const missing = absent?.kind === 'absent' ? absent.missing : [];
  const names = missing.map(({ content, uuid }) => `its ${content} partition PARTUUID=${uuid}`);
  return wrong(`${designator}: ${names.join(' and ')} is not on ${disks.join(' or ')}`);
}

function describeFindingAt(
  finding: PairFinding,
  designator: string,
  data: string,
  hash: string,
): Trouble | undefined {
  if (finding.kind === 'intact') return undefined;
  const text =
    finding.kind === 'superblock' ? finding.because : describeFinding(finding, data, hash);
  return wrong(`${designator}: ${text}`);
}
