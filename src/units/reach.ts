/** What of a machine the services have to reach, as its settings tell. */
import { dirname, resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { ESP_PLACES, findEsp } from '../esp/mount.ts';
import { parseLink } from '../generation/profile.ts';
import { extraSettings } from '../settings/extra-settings.ts';
import { CONFIG_FILE, type Settings } from '../settings/settings.ts';
import { UDEV_DATABASE } from '../volumes/xbootldr.ts';

/** Paths that a service sees; whether they are there is looked at when it starts. */
export interface Reach {
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

/** Returns what services with these settings reach beside their own state. `config` is named or usual. */
export function reach(settings: Settings, config: string | undefined, disk: Disk): Reach {
  return {
    writable: [
      ...esps(settings, disk),
      ...others(settings),
      ...cache(settings),
      ...records(settings),
    ],
    readable: [
      config === undefined ? CONFIG_FILE : resolve(config),
      ...settings.profiles.map((path) => (parseLink(path) ? dirname(path) : path)),
      settings.pins ?? '/nix/var/nix/gcroots',
      '/nix/store',
      `${settings.systemd ?? '/usr'}/lib/systemd/boot/efi`,
      ...files(settings),
      settings.booted,
      // Whether the loader reads a partition is in here.
      ...(settings.xbootldr === undefined ? [] : [UDEV_DATABASE]),
      // Words to systemd go in here.
      '/run/systemd/notify',
    ],
  };
}

/** All of the usual places, when no ESP is named and none is mounted now. */
function esps({ esp }: Settings, disk: Disk): readonly string[] {
  const mounted = findEsp(disk);
  return esp ?? (mounted === undefined ? ESP_PLACES : [mounted]);
}

/** The partitions besides the ESP. */
function others({ xbootldr, 'former-xbootldr': former }: Settings): readonly string[] {
  return [xbootldr, former].filter((path) => path !== undefined);
}

/** The usual one is part of the service's state. */
function cache({ 'cache-dir': directory }: Settings): readonly string[] {
  return directory === '/var/cache/espalier' ? [] : [directory];
}

function records({ 'pcrlock-directory': directory }: Settings): readonly string[] {
  return directory === undefined ? [] : [directory];
}

function files(settings: Settings): readonly string[] {
  const { stub, certificate, 'private-key': privateKey, signatures, sections } = settings;
  return [
    stub,
    certificate,
    privateKey,
    signatures,
    settings['loader-conf'],
    ...extraSettings(settings).map(({ from }) => ('source' in from ? from.source : undefined)),
    ...Object.values(sections),
  ].filter((path) => path !== undefined);
}
