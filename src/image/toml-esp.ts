/** From a description in TOML to what comes onto the ESP. */
import { resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { PATH_SETTINGS } from '../settings/verb-options.ts';
import type { EspDescription } from './esp-description.ts';
import type { UkiDescription } from './image-uki.ts';
import { invalid, type ReadDescription } from './toml-description.ts';
import type { TomlPartition, TomlUki } from './toml-schema.ts';
import { typeOf } from './toml-uses.ts';
import { filesNamed, placedOptions } from './uki-options.ts';

/** What systemd-boot is told where nobody says anything. */
const LOADER_CONF = 'timeout 3\n';

/**
 * Returns what comes onto the ESP besides files.
 * @throws {CONFIG_INVALID} when an image is for a group that no partition has
 */
export function espOf(read: ReadDescription, allowInsecureKey: boolean): EspDescription {
  const { values, directory } = read;
  const groups = new Set(values.partition?.map(({ match }) => match));
  const { partition = [], esp } = values;
  const { loader, 'loader-conf': loaderConf } = esp ?? partition.find((each) => each.loader) ?? {};
  const systemd = loader === true ? resolve(directory, values.systemd ?? '/usr') : undefined;
  const declared = [
    ...[esp?.uki ?? []].flat().map((uki) => ({ uki, isOnXbootldr: false })),
    ...partition.flatMap((each) =>
      [each.uki ?? []].flat().map((uki) => ({ uki, isOnXbootldr: typeOf(each) === 'xbootldr' })),
    ),
  ];
  return {
    ukis: declared.map(({ uki, isOnXbootldr }) => {
      if (uki.verity === undefined || groups.has(uki.verity))
        return { ...ukiOf(uki, read, allowInsecureKey), isOnXbootldr };
      throw invalid(read, `uki.verity: no partition has match = ${JSON.stringify(uki.verity)}`);
    }),
    systemd,
    loaderConf: loaderConf ?? LOADER_CONF,
    install: values.install && installOf(values.install, read),
  };
}

/** Settings of `install` that an image settles, or that would change the machine that makes it. */
const OF_A_MACHINE = {
  esp: 'the image has it',
  xbootldr: 'a partition of type xbootldr is it',
  'former-xbootldr': 'an image has none',
  'allow-directory': 'an image needs it not',
  'lock-timeout': 'nobody else knows an image in the making',
  'efi-entry': 'variables for the image are made by [efi-variables]',
  'clear-overrides': 'variables for the image are made by [efi-variables]',
  'extra-sign': 'it is for files of the machine that makes the image',
};

function installOf(given: RawSettings, read: ReadDescription) {
  const { toplevel, ...settings } = given;
  if (toplevel !== undefined && typeof toplevel !== 'string') {
    throw invalid(read, 'install.toplevel: expected a path');
  }
  for (const [name, why] of Object.entries(OF_A_MACHINE)) {
    if (name in settings) throw invalid(read, `install.${name}: ${why}`, 'leave it out');
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

function ukiOf(
  given: TomlUki,
  { directory }: ReadDescription,
  allowInsecureKey: boolean,
): UkiDescription {
  const { path, verity: group, dracut, ...others } = given;
  const devices = {
    ...ifGiven('onCorruption', given['on-corruption']),
    ...ifGiven('others', given['verity-option']),
    ...ifGiven('data', given['verity-data-device']),
    ...ifGiven('hash', given['verity-hash-device']),
    ...ifGiven('rootHashSignature', given['verity-signature']),
  };
  const options = placedOptions(others, (file) => resolve(directory, file));
  return {
    path,
    options: {
      ...options,
      ...(dracut && { dracut: true, ...dracut }),
      ...(allowInsecureKey && { 'allow-insecure-key': true }),
    },
    verity: group === undefined ? undefined : { group, devices },
  };
}

function ifGiven<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { [Name in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [Name in Key]: Value });
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
  const files = ukis.flatMap(filesNamed);
  const sizes = files.map((path) => disk.stat(resolve(directory, path))?.size ?? 0);
  const isEmpty = ukis.length === 0 && given.loader !== true;
  return isEmpty ? 0 : sizes.reduce((sum, size) => sum + size, SMALL_PARTS * (ukis.length + 1));
}
