/** Which settings cannot go together with a root of their own, and why. */
import { refused } from './complaint.ts';
import { settingsOf, type Unit } from './unit.ts';
import { parseBoolean } from './unit-syntax.ts';

interface Conflict {
  readonly key: string;
  /** Whether the value prevents confinement; undefined for a value that systemd ignores. */
  readonly conflicts: (value: string) => boolean | undefined;
  readonly reason: string;
  readonly hint: string;
}

const ownRoot = (value: string): boolean => value !== '/';

const CONFLICTS: readonly Conflict[] = [
  {
    key: 'RootDirectoryStartOnly',
    conflicts: parseBoolean,
    reason:
      'systemd cannot bind paths for ExecStart= alone, so the other commands would see the host',
    hint: 'take it out, or move those commands to a service of their own',
  },
  {
    key: 'DynamicUser',
    conflicts: parseBoolean,
    reason: 'it implies ProtectSystem=strict, which looks for directories that are not inside',
    hint: 'give the service a user with User= instead',
  },
  {
    key: 'ProtectSystem',
    conflicts: (value) => parseBoolean(value) !== false,
    reason: 'it makes /usr and others read-only, which are not inside; what is inside is read-only',
    hint: 'set ProtectSystem=no in a drop-in of the service',
  },
  {
    key: 'RootDirectory',
    conflicts: ownRoot,
    reason: 'the service has a root of its own, and its programs are not those of this system',
    hint: 'take it out',
  },
  {
    key: 'RootImage',
    conflicts: ownRoot,
    reason: 'the service has a root of its own, and its programs are not those of this system',
    hint: 'take it out',
  },
];

/** @throws {UNIT_REFUSED} naming the setting that a confinement would contradict, and why */
export function refuseConflicts(unit: Unit): void {
  for (const { key, conflicts, reason, hint } of CONFLICTS) {
    const values = settingsOf(unit, key).filter((value) => conflicts(value) !== undefined);
    const value = values.at(-1);
    if (value !== undefined && conflicts(value)) {
      throw refused(`${unit.name.full}: ${key}=${value}: ${reason}`, hint);
    }
  }
}
