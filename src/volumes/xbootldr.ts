/**
 * Tells whether systemd-boot finds an XBOOTLDR partition: on its own disk, by its type in the GPT.
 */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { partitionAt } from './partition.ts';

/** Discoverable Partitions Specification §Defined Partition Type UUIDs. */
const XBOOTLDR_TYPE = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/**
 * Returns whether the loader is known to read a partition. When udev knows nothing about a device,
 * the answer is no.
 * @throws {CONFIG_INVALID} when the loader is known not to read it
 */
export function isRead(
  esp: string,
  xbootldr: string,
  context: Pick<Context, 'disk' | 'host'>,
): boolean {
  const [from, to] = [partitionAt(esp, context), partitionAt(xbootldr, context)];
  const { scheme, type } = to ?? {};
  if (scheme === undefined || type === undefined) return false;
  requireType(xbootldr, { scheme, type });
  const [here, there] = [from?.disk, to?.disk];
  if (here === undefined || there === undefined) return false;
  if (here === there) return true;
  throw unread(
    `${xbootldr}: systemd-boot does not read it: it is on disk ${there}, and the ESP on disk ${here}`,
    'name an XBOOTLDR partition on the disk of the ESP',
  );
}

/** Refuses a partition that systemd-boot does not look into. @throws {CONFIG_INVALID} */
export function requireType(
  xbootldr: string,
  { scheme, type }: { readonly scheme?: string | undefined; readonly type?: string | undefined },
): void {
  if (scheme === 'gpt' && type === XBOOTLDR_TYPE) return;
  throw unread(
    `${xbootldr}: systemd-boot does not read it: expected a partition of type ${XBOOTLDR_TYPE}, got ${scheme} ${type}`,
    `if it is meant to be the XBOOTLDR partition, set its type: sfdisk --part-type DISK NUMBER ${XBOOTLDR_TYPE}`,
  );
}

function unread(message: string, hint: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}
