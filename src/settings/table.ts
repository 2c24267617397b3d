/**
 * The table of settings: name, value, schema, help, the verbs that use it, and what a confined service
 * must reach for it. Options, hints, the units, the reference and NixOS's list all follow from it.
 */
import { dirname } from 'node:path';
import * as v from 'valibot';
import { parseLink } from '../generation/profile.ts';
import { NIX_PROFILES, SOURCE_NAMES } from '../generation/sources.ts';
import { DEFAULT_FORMAT, FORMAT_CHOICES } from '../plan/formats.ts';
import { FILE_TABLES } from './file-tables.ts';
import { FIRMWARE } from './firmware-settings.ts';
import { POLICY_SETTINGS } from './policy-settings.ts';
import {
  ENTRY_VERBS,
  FIRMWARE_VERBS,
  KERNEL_VERBS,
  LIKE_INSTALL,
  READING,
  SURVEYING,
  setting,
} from './setting.ts';
import { SIGNING } from './signing-settings.ts';
import { count, flag, path, paths, size } from './value-schemas.ts';

/** The usual directory of the digest cache. The services keep it in their state. */
const CACHE = '/var/cache/espalier';
/** The usual directory of what is kept, which the services have as their state. */
const STATE = '/var/lib/espalier';
/** What says that a kernel is whole, and what its names on the ESP begin with. */
const OF_KERNELS = ['/usr/lib/modules', '/etc/machine-id', '/etc/kernel'];
/** udev's database. It tells whether systemd-boot reads a partition. */
export const UDEV_DATABASE = '/run/udev/data';

/** Returns a list of choices for a person: `a, b or c`. */
function anyOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** Every setting by name, in the order of the help. */
export const TABLE = {
  esp: setting({
    value: 'DIR',
    repeatable: true,
    schema: v.optional(paths),
    help: 'mount point of the ESP, or a disk image that has it; repeat for mirrors, the first is the primary',
    fallback: 'the first FAT file system of /efi, /boot and /boot/efi',
    verbs: [...READING, ...FIRMWARE_VERBS, ...ENTRY_VERBS, 'keys enroll', 'keys status'],
    reach: 'write',
  }),
  xbootldr: setting({
    value: 'DIR',
    schema: v.optional(path),
    help: 'mount point of the XBOOTLDR partition, which then has the entries and what they name',
    fallback: 'none',
    verbs: [...READING, ...ENTRY_VERBS],
    reach: (partition) => ({ write: [partition], read: [UDEV_DATABASE] }),
  }),
  'former-xbootldr': setting({
    value: 'DIR',
    schema: v.optional(path),
    help: 'mount point of the former XBOOTLDR partition: what Espalier left there is removed',
    verbs: READING,
    reach: 'write',
  }),
  profiles: setting({
    value: 'PATH',
    repeatable: true,
    schema: v.optional(paths, [NIX_PROFILES]),
    help: 'directory of generation links, or one link',
    verbs: [...SURVEYING, 'list', 'verify', 'pin', 'unpin', ...ENTRY_VERBS],
    reach: (given) => ({ read: given.map((at) => (parseLink(at) ? dirname(at) : at)) }),
  }),
  source: setting({
    value: SOURCE_NAMES.join('|'),
    schema: v.optional(v.picklist(SOURCE_NAMES, `expected ${anyOf(SOURCE_NAMES)}`)),
    help: 'where generations come from',
    fallback: 'what is there',
    verbs: [...SURVEYING, 'list', 'verify', 'pin', 'unpin', ...ENTRY_VERBS],
    reach: 'nothing',
  }),
  'state-dir': setting({
    value: 'DIR',
    schema: v.optional(path, STATE),
    help: 'where kernels are kept',
    verbs: [...SURVEYING, 'list', 'verify', 'pin', 'unpin', ...KERNEL_VERBS, ...ENTRY_VERBS],
    reach: (directory) => ({ read: [...(directory === STATE ? [] : [directory]), ...OF_KERNELS] }),
  }),
  systemd: setting({
    value: 'DIR',
    schema: v.optional(path),
    help: 'holds lib/systemd/boot/efi',
    fallback: 'the target’s own systemd, else /usr',
    verbs: [...SURVEYING, 'verify'],
    reach: (directory) => ({ read: [`${directory}/lib/systemd/boot/efi`] }),
  }),
  stub: setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'stub of the images',
    fallback: 'the one in --systemd',
    verbs: [...SURVEYING, 'verify'],
    reach: 'read',
  }),
  format: setting({
    value: FORMAT_CHOICES.join('|'),
    schema: v.optional(
      v.picklist(FORMAT_CHOICES, `expected ${anyOf(FORMAT_CHOICES)}`),
      DEFAULT_FORMAT,
    ),
    help: 'kind of boot entries; auto takes shared where it saves room, else uki; thin needs lanzaboote’s stub',
    verbs: [...SURVEYING, 'verify'],
    reach: 'nothing',
  }),
  ...SIGNING,
  ...POLICY_SETTINGS,
  'allow-directory': setting({
    schema: v.optional(flag, false),
    help: 'the target may be any directory, as when an image is built',
    verbs: [...READING, ...FIRMWARE_VERBS, ...ENTRY_VERBS, 'keys enroll', 'keys status'],
    reach: 'nothing',
  }),
  limit: setting({
    value: 'N',
    schema: v.optional(count, 0),
    help: 'newest generations to keep per profile, 0 for all',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  'boot-counting': setting({
    value: 'N',
    schema: v.optional(count, 0),
    help: 'how often a new entry is tried before it counts as bad, 0 for no counting',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  reserve: setting({
    value: 'SIZE',
    schema: v.optional(size, 0),
    help: 'space to leave to others on each partition, as 64M',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  'loader-conf': setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'settings of the boot loader; its line `default` is left out, unless --keep-default',
    fallback: 'those in [loader], else those on the ESP',
    verbs: SURVEYING,
    reach: 'read',
  }),
  'sign-kernels': setting({
    schema: v.optional(flag, false),
    help: 'sign the kernels of entries that name them: each of them then starts with any initrd and any command line under Secure Boot',
    verbs: [...SURVEYING, 'verify'],
    reach: 'nothing',
  }),
  'keep-default': setting({
    schema: v.optional(flag, false),
    help: 'let --loader-conf say which entry is the default',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  ...FIRMWARE,
  adopt: setting({
    schema: v.optional(flag, false),
    help: 'take over what lanzaboote, nixpkgs’ builder or kernel-install installed: replace it, remove what is left',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  'take-over': setting({
    schema: v.optional(flag, false),
    help: 'take over entries that lead to systems of another machine: remove those that no generation here has',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  system: setting({
    value: 'DOUBLE',
    schema: v.optional(
      v.pipe(
        v.string('expected a system double'),
        v.regex(/^[a-z0-9_]+-[a-z0-9]+$/, 'expected a system double'),
      ),
    ),
    help: 'system of this machine, as x86_64-linux: generations for another one are left out',
    verbs: [...READING, ...FIRMWARE_VERBS],
    reach: 'nothing',
  }),
  'entry-token': setting({
    value: 'NAME',
    schema: v.optional(
      v.pipe(
        v.string('expected a name'),
        v.regex(
          /^[a-z0-9][a-z0-9._-]{0,31}$/,
          'expected lower-case letters, digits, `.`, `_`, `-`',
        ),
      ),
    ),
    help: 'what names on the ESP begin with',
    fallback: 'nixos; with installed kernels as kernel-install has it, the machine ID most often',
    verbs: [...READING, ...KERNEL_VERBS, ...ENTRY_VERBS],
    reach: 'nothing',
  }),
  booted: setting({
    value: 'PATH',
    schema: v.optional(path, '/run/booted-system'),
    help: 'the running system',
    verbs: [...SURVEYING, 'verify', 'list', ...KERNEL_VERBS],
    reach: 'read',
  }),
  'cache-dir': setting({
    value: 'DIR',
    schema: v.optional(path, CACHE),
    help: 'where digests are remembered; deleting it costs only time',
    verbs: [...SURVEYING, 'verify'],
    reach: (directory) => ({ write: directory === CACHE ? [] : [directory] }),
  }),
  pins: setting({
    value: 'DIR',
    schema: v.optional(path),
    help: 'where pins are',
    fallback: 'Nix’s roots or --state-dir',
    verbs: [...SURVEYING, 'list', 'pin', 'unpin'],
    reach: 'read',
  }),
  'pcrlock-directory': setting({
    value: 'DIR',
    schema: v.optional(path),
    help: 'where records for systemd-pcrlock are kept, as /var/lib/pcrlock.d',
    fallback: 'none are',
    verbs: [...LIKE_INSTALL, 'gc'],
    reach: 'write',
  }),
  'lock-timeout': setting({
    value: 'SECONDS',
    schema: v.optional(count, 60),
    help: 'how long to wait for another run on the same ESP',
    verbs: [...LIKE_INSTALL, 'gc', 'verify', 'keys enroll', ...KERNEL_VERBS],
    reach: 'nothing',
  }),
  disk: setting({
    value: 'FILE',
    repeatable: true,
    schema: v.optional(paths),
    help: 'disk or image of one that holds what root hashes protect',
    fallback: 'the disks of this machine',
    verbs: [...SURVEYING, 'verify'],
    reach: 'read',
  }),
  'require-verity': setting({
    schema: v.optional(flag, false),
    help: 'refuse a system whose root hash is not that of partitions here',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  force: setting({
    schema: v.optional(flag, false),
    help: 'replace a newer boot loader by an older one',
    verbs: [...LIKE_INSTALL, 'status'],
    reach: 'nothing',
  }),
  'loader-fallback': setting({
    value: 'true|false',
    schema: v.optional(flag, true),
    help: 'keep the boot loader before this one, for when firmware cannot start this one',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  ...FILE_TABLES,
};

/** The name of a setting. */
export type SettingName = keyof typeof TABLE;
