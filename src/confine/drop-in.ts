/** Formats the drop-in: the settings of a mode, and one line for each path that is bound. */
import type { Bind } from './library-search.ts';
import { settingOf, type Unit } from './unit.ts';
import { quotePath } from './words.ts';

/** How much of a system the service sees besides its files. */
export type Mode = 'full-apivfs' | 'chroot-only';

/** The first line of our drop-ins. Only a file that begins with it is overwritten. */
export const DROP_IN_MARK = '# Written by espalier confine';

/** An empty directory on a file system in memory. It holds the bound paths and nothing else. */
export const EMPTY_ROOT = '/var/empty';

/** Settings without which there is no confinement. */
const ROOT: Readonly<Record<string, string>> = {
  RootDirectory: EMPTY_ROOT,
  TemporaryFileSystem: '/',
};

/** Settings of the mode. In `chroot-only` each would mount something that must not be there. */
const OF_MODE = [
  'MountAPIVFS',
  'PrivateDevices',
  'PrivateTmp',
  'PrivateUsers',
  'ProtectControlGroups',
  'ProtectKernelModules',
  'ProtectKernelTunables',
];

/**
 * Returns the drop-in that binds `binds` for a unit and nothing else. A setting of the mode that
 * the unit sets itself keeps the unit's value.
 * @throws {CONFIG_INVALID} for a path that no unit can name
 */
export function formatDropIn(unit: Unit, mode: Mode, binds: readonly Bind[]): string {
  const wanted = [
    ['PrivateMounts', 'yes'],
    ...OF_MODE.map((key) => [key, mode === 'full-apivfs' ? 'yes' : 'no']),
  ];
  return [
    `${DROP_IN_MARK} for ${unit.name.full}, mode ${mode}.`,
    '# It names files of this system as it was: after an upgrade, have it written again.',
    '[Service]',
    ...Object.entries(ROOT).map(([key, value]) => `${key}=${value}`),
    ...wanted.map(([key = '', value = '']) => {
      const own = settingOf(unit, key);
      return own === undefined ? `${key}=${value}` : `# as the unit has it: ${key}=${own}`;
    }),
    ...binds.map(formatBind),
    '',
  ].join('\n');
}

function formatBind({ source, place }: Bind): string {
  const paths = source === place ? [place] : [source, place];
  return `BindReadOnlyPaths=${paths.map(quotePath).join(':')}`;
}
