/** Tells which paths of a machine the services must reach, from the table of settings. */
import { resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { ESP_PLACES, findEsp } from '../esp/mount.ts';
import { CONFIG_FILE } from '../settings/configuration-file.ts';
import type { Reach as SettingReach } from '../settings/setting.ts';
import type { Settings } from '../settings/settings.ts';
import { ROWS } from '../settings/verb-options.ts';

/** Paths that a service sees. Whether they exist is checked when the service starts. */
export interface Reach {
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

/** Returns what services with these settings reach besides their own state. */
export function reach(settings: Settings, config: string | undefined, disk: Disk): Reach {
  const reached = reachOfSettings({ ...usualPlaces(disk), ...named(settings) });
  return {
    writable: unique(reached.flatMap(({ write = [] }) => write)),
    readable: unique([
      config === undefined ? CONFIG_FILE : resolve(config),
      ...reached.flatMap(({ read = [] }) => read),
      '/nix/store',
      // The services send their messages to systemd through this socket.
      '/run/systemd/notify',
    ]),
  };
}

/**
 * Returns the places that the program searches without settings: every usual ESP if none is
 * mounted.
 */
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

/** Returns the paths that each setting needs, in the order of the table. */
function reachOfSettings(settings: Partial<Settings>): readonly SettingReach[] {
  return ROWS.flatMap(([name, { reach }]) => {
    const value = settings[name];
    if (value === undefined || reach === 'nothing') return [];
    // The schema in the same row made this value.
    if (typeof reach === 'function') return [reach(value as never)];
    const paths = [value].flat().map(String);
    return [reach === 'read' ? { read: paths } : { write: paths }];
  });
}

function unique(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)];
}
