/** Reads and checks the settings of `uki build`: flags, over ukify's configuration file. */

import { basename, resolve } from 'node:path';
import * as v from 'valibot';
import type { Disk } from '../disk/disk.ts';
import { DESIGNATORS } from '../gpt/partition-type.ts';
import { complaintOf } from '../schema-issue.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { UKI_BUILD_OPTIONS } from '../settings/uki-options.ts';
import { path as pathGiven } from '../settings/value-schemas.ts';
import { parseUkifyConfig, type UkifyOptions } from '../uki/ukify-config.ts';
import { misuse } from './misuse.ts';
import { mergeKeys, policyEntries, requireAlone } from './policy-settings.ts';

const text = v.optional(v.string());
const texts = v.optional(v.array(v.string()), []);
const path = v.optional(pathGiven);
const paths = v.optional(v.array(pathGiven), []);
const count = v.optional(
  v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'expected a number'), v.transform(Number)),
);
const flag = v.optional(v.boolean(), false);

/** The EFI names of architectures that ukify knows. */
const ARCHITECTURES = [
  ...(['ia32', 'x64', 'arm', 'aa64'] as const),
  ...(['riscv32', 'riscv64', 'loongarch32', 'loongarch64'] as const),
];

const schema = v.strictObject({
  linux: path,
  initrd: paths,
  cmdline: text,
  'os-release': text,
  uname: text,
  microcode: path,
  splash: path,
  devicetree: path,
  'devicetree-auto': paths,
  pcrpkey: path,
  sbat: texts,
  section: texts,
  profile: text,
  'join-profile': paths,
  stub: path,
  systemd: path,
  'efi-arch': v.optional(v.picklist(ARCHITECTURES, `expected one of ${ARCHITECTURES.join(', ')}`)),
  'secureboot-private-key': path,
  'secureboot-certificate': path,
  'allow-insecure-key': flag,
  'sign-kernel': v.optional(v.boolean()),
  verity: texts,
  'verity-of': v.optional(v.picklist(DESIGNATORS, 'expected root or usr')),
  'verity-hash-area': path,
  'verity-data-device': text,
  'verity-hash-device': text,
  'verity-hash-offset': count,
  'verity-data-blocks': count,
  'verity-on-corruption': v.optional(
    v.picklist(['ignore', 'restart', 'panic'], 'expected ignore, restart or panic'),
  ),
  'verity-signature': text,
  'verity-option': texts,
  dracut: flag,
  kver: text,
  install: texts,
  add: texts,
  'add-drivers': texts,
  'force-drivers': texts,
  filesystems: texts,
  ...policyEntries,
  output: path,
});

/**
 * Everything that an image is built from. Paths are absolute. A value with `@` in front names a
 * file.
 */
export type BuildSettings = v.InferOutput<typeof schema> & { readonly output: string };

/** Whether a key vouches for what goes into the image: that of Secure Boot, or one of policies for PCR 11. */
export function isVouchedFor(settings: BuildSettings): boolean {
  const { 'secureboot-private-key': key, 'pcr-private-key': keys } = settings;
  return key !== undefined || keys.length > 0 || settings['policy-digest'];
}

const CONFIG_LIMIT = 1024 * 1024;

/**
 * Returns the settings in force.
 * @throws {CONFIG_INVALID} naming the wrong flag or key
 */
export function readBuildSettings(flags: RawSettings, disk: Disk): BuildSettings {
  const { config, ...named } = flags;
  const fromFile = typeof config === 'string' ? readUkifyConfig(resolve(config), disk) : {};
  const merged = merge(fromFile, named);
  const checked = v.safeParse(schema, merged);
  if (!checked.success) {
    const [issue] = checked.issues;
    throw misuse(`--${v.getDotPath(issue)?.replace(/\..*/, '') ?? ''}: ${complaintOf(issue)}`);
  }
  const settings = checked.output;
  requirePair(settings);
  requireAlone(settings, merged);
  return { ...settings, output: settings.output ?? defaultOutput(settings) };
}

/** Returns the options that a configuration file of ukify gives. @throws {CONFIG_INVALID} */
export function readUkifyConfig(file: string, disk: Disk): UkifyOptions {
  if (disk.stat(file)?.kind !== 'file') throw misuse(`--config: ${file} is no file`);
  return parseUkifyConfig(new TextDecoder().decode(disk.read(file, CONFIG_LIMIT)), file);
}

/** Flags override the file. In a list, the file's values come first. */
function merge(fromFile: UkifyOptions, flags: RawSettings): RawSettings {
  const merged: Record<string, unknown> = { ...fromFile, ...flags };
  for (const { name, repeatable } of UKI_BUILD_OPTIONS) {
    const lists = [fromFile[name], flags[name]].filter((list) => Array.isArray(list));
    if (repeatable && lists.length > 0) merged[name] = lists.flat();
  }
  return { ...merged, ...mergeKeys(fromFile, flags) };
}

/** A certificate without its key, or a key alone, would silently build an unsigned image. */
function requirePair(settings: v.InferOutput<typeof schema>): void {
  const hasKey = settings['secureboot-private-key'] !== undefined;
  const hasCertificate = settings['secureboot-certificate'] !== undefined;
  if (hasKey !== hasCertificate) {
    throw misuse('expected both --secureboot-private-key and --secureboot-certificate, got one');
  }
  if (settings['sign-kernel'] === true && !hasKey) {
    throw misuse('--sign-kernel: there is no --secureboot-private-key to sign it with');
  }
}

function defaultOutput(settings: v.InferOutput<typeof schema>): string {
  const { linux } = settings;
  if (linux === undefined) throw misuse('expected --linux or --output, got neither');
  const isSigned = settings['secureboot-private-key'] !== undefined;
  return resolve(`${basename(linux)}${isSigned ? '.efi' : '.unsigned.efi'}`);
}

/** Takes a value of `--section` apart; both parts are empty when it has no colon. */
export function splitSection(spec: string): { readonly name: string; readonly value: string } {
  const [, name = '', value = ''] = /^([^:]*):(.*)$/s.exec(spec) ?? [];
  return { name, value };
}
