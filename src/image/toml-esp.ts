/** From a description in TOML to what comes onto the ESP. */
import { resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { PATH_SETTINGS } from '../settings/verb-options.ts';
import type { EspDescription } from './esp-description.ts';
import type { UkiDescription } from './image-uki.ts';
import { invalid, type ReadDescription } from './toml-description.ts';
import type { TomlPartition, TomlUki } from './toml-schema.ts';

/** What systemd-boot is told where nobody says anything. */
const LOADER_CONF = 'timeout 3\n';

/**
 * Returns what comes onto the ESP besides files.
 * @throws {CONFIG_INVALID} when an image is for a group that no partition has
 */
export function espOf(read: ReadDescription): EspDescription {
  const { values, directory } = read;
  const groups = new Set(values.partition?.map(({ match }) => match));
  const first =
    values.esp ?? values.partition?.find((each) => each.uki !== undefined || each.loader);
  const { uki = [], loader, 'loader-conf': loaderConf } = first ?? {};
  const systemd = loader === true ? resolve(directory, values.systemd ?? '/usr') : undefined;
  return {
    ukis: [uki].flat().map((each) => {
      if (each.verity === undefined || groups.has(each.verity)) return ukiOf(each, read);
      throw invalid(read, `uki.verity: no partition has match = ${JSON.stringify(each.verity)}`);
    }),
    systemd,
    loaderConf: loaderConf ?? LOADER_CONF,
    install: values.install && installOf(values.install, read),
  };
}

function installOf(given: RawSettings, read: ReadDescription) {
  const { toplevel, ...settings } = given;
  if (toplevel !== undefined && typeof toplevel !== 'string') {
    throw invalid(read, 'install.toplevel: expected a path');
  }
  const at = (value: unknown): unknown =>
    typeof value === 'string'
      ? resolve(read.directory, value)
      : Array.isArray(value)
        ? value.map(at)
        : value;
  const placed = Object.entries(settings).map(([name, value]) => [
    name,
    PATH_SETTINGS.has(name) ? at(value) : value,
  ]);
  return {
    settings: Object.fromEntries(placed),
    toplevel: toplevel && resolve(read.directory, toplevel),
  };
}

/** Options of `uki build` that are paths, and those that may be one behind `@`. */
const PATHS = ['linux', 'stub', 'systemd', 'config', 'microcode', 'splash', 'devicetree'] as const;
const TEXTS = ['cmdline', 'os-release'] as const;

function ukiOf(given: TomlUki, { directory }: ReadDescription): UkiDescription {
  const { path, verity: group, 'on-corruption': onCorruption, 'verity-option': others } = given;
  const { initrd = [], dracut, uname } = given;
  const at = (value: string) => resolve(directory, value);
  const paths = PATHS.flatMap((key) => (given[key] === undefined ? [] : [[key, at(given[key])]]));
  const texts = TEXTS.flatMap((key) => {
    const text = given[key];
    if (text === undefined) return [];
    return [[key, text.startsWith('@') ? `@${at(text.slice(1))}` : text]];
  });
  const devices = { ...(onCorruption && { onCorruption }), ...(others && { others }) };
  return {
    path,
    options: {
      ...Object.fromEntries([...paths, ...texts]),
      ...(uname !== undefined && { uname }),
      initrd: initrd.map(at),
      ...(dracut && { dracut: true, ...dracut }),
    },
    verity: group === undefined ? undefined : { group, devices },
  };
}

/** What stub, texts and signature of an image take beside its kernel and initrds, and two boot loaders: bytes. */
const SMALL_PARTS = 2 * 1024 * 1024;

/** Returns how many bytes images come to on the ESP, as far as their files are there already. */
export function sizeOfUkis(
  given: TomlPartition,
  { directory }: ReadDescription,
  disk: Disk,
): number {
  const ukis = [given.uki ?? []].flat();
  const files = ukis.flatMap(({ linux, initrd = [], microcode, splash }) =>
    [linux, ...initrd, microcode, splash].flatMap((path) => path ?? []),
  );
  const sizes = files.map((path) => disk.stat(resolve(directory, path))?.size ?? 0);
  const isEmpty = ukis.length === 0 && given.loader !== true;
  return isEmpty ? 0 : sizes.reduce((sum, size) => sum + size, SMALL_PARTS * (ukis.length + 1));
}
