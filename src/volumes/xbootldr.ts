/** Whether systemd-boot will find an XBOOTLDR partition: on the disk it was started from, by its type in the GPT. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { mountAt } from '../esp/mount.ts';
import { UDEV_DATABASE } from '../settings/table.ts';

/** Discoverable Partitions Specification §Defined Partition Type UUIDs. */
const XBOOTLDR_TYPE = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** What udev says of one device is a file of a few kilobytes. */
const ENTRY_LIMIT = 1024 * 1024;

/**
 * Tells whether it is known that the loader reads a partition; of devices that udev knows nothing about,
 * it is not.
 * @throws {CONFIG_INVALID} when it is known that it does not
 */
export function isRead(
  esp: string,
  xbootldr: string,
  { disk, host }: Pick<Context, 'disk' | 'host'>,
): boolean {
  const [from, to] = [esp, xbootldr].map((path) => describe(mountAt(disk, path)?.device, host));
  const scheme = to?.get('ID_PART_ENTRY_SCHEME');
  const type = to?.get('ID_PART_ENTRY_TYPE');
  if (scheme === undefined || type === undefined) return false;
  if (scheme !== 'gpt' || type.toLowerCase() !== XBOOTLDR_TYPE) {
    throw unread(
      `${xbootldr}: systemd-boot does not read it: expected a partition of type ${XBOOTLDR_TYPE}, got ${scheme} ${type}`,
      `if it is meant to be the XBOOTLDR partition, set its type: sfdisk --part-type DISK NUMBER ${XBOOTLDR_TYPE}`,
    );
  }
  const [here, there] = [from, to].map((entry) => entry?.get('ID_PART_ENTRY_DISK'));
  if (here === undefined || there === undefined) return false;
  if (here === there) return true;
  throw unread(
    `${xbootldr}: systemd-boot does not read it: it is on disk ${there}, and the ESP on disk ${here}`,
    'name an XBOOTLDR partition on the disk of the ESP',
  );
}

function unread(message: string, hint: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}

/** Returns the properties of a block device, by its numbers. */
function describe(device: string | undefined, host: Disk): ReadonlyMap<string, string> | undefined {
  const path = `${UDEV_DATABASE}/b${device}`;
  if (device === undefined || host.stat(path)?.kind !== 'file') return undefined;
  const text = new TextDecoder().decode(host.read(path, ENTRY_LIMIT));
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const found = /^E:([^=]+)=(.*)$/.exec(line);
      return found?.[1] === undefined || found[2] === undefined ? [] : [[found[1], found[2]]];
    }),
  );
}
