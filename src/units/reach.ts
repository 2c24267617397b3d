/** What of a machine the services have to reach, as the table of settings tells. */
import { resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { ESP_PLACES, findEsp } from '../esp/mount.ts';
import { CONFIG_FILE } from '../settings/configuration-file.ts';
import type { Reach as SettingReach } from '../settings/setting.ts';
import type { Settings } from '../settings/settings.ts';
import { ROWS } from '../settings/verb-options.ts';

/** Paths that a service sees; whether they are there is looked at when it starts. */
export interface Reach {
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

/** Returns what services with these settings reach beside their own state. `config` is named or usual. */
export function reach(settings: Settings, config: string | undefined, disk: Disk): Reach {
  const reached = reachOfSettings({ ...usualPlaces(disk), ...named(settings) });
  return {
    writable: unique(reached.flatMap(({ write = [] }) => write)),
    readable: unique([
      config === undefined ? CONFIG_FILE : resolve(config),
      ...reached.flatMap(({ read = [] }) => read),
      '/nix/store',
      // Words to systemd go in here.
      '/run/systemd/notify',
    ]),
  };
}

/** Where the program looks when nothing is named: at every usual ESP when none is mounted now. */
function usualPlaces(disk: Disk): Partial<Settings> {
  const mounted = findEsp(disk);
  return {
    esp: mounted === undefined ? ESP_PLACES : [mounted],
    systemd: '/usr',
    pins: '/nix/var/nix/gcroots',
  };
}

function named(settings: Settings): Partial<Settings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Returns what each setting wants to be seen, in the order of the table. */
function reachOfSettings(settings: Partial<Settings>): readonly SettingReach[] {
  return ROWS.flatMap(([name, { reach }]) => {
    const value = settings[name];
    if (value === undefined || reach === 'nothing') return [];
    // The value is what the schema of the same row made.
    if (typeof reach === 'function') return [reach(value as never)];
    const paths = [value].flat().map(String);
    return [reach === 'read' ? { read: paths } : { write: paths }];
  });
}

function unique(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)];
}
