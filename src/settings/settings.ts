/** Settings: flags over environment over the configuration file over defaults, checked once, here. */
import * as v from 'valibot';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { SETTINGS } from '../loader/loader-conf.ts';
import { extraEntries, extraFiles, extraMistake, extraSettings } from './extra-settings.ts';
import { absolute, path } from './path-setting.ts';

/** One setting that may come from a flag, the environment or the configuration file. */
export interface Option {
  /** Its long flag without dashes; also its key in the configuration file. */
  readonly name: string;
  /** What follows the flag; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: true;
  readonly help: string;
}

/** The settings of every verb that looks at an ESP, in the order of the help text. */
export const OPTIONS: readonly Option[] = [
  {
    name: 'esp',
    value: 'DIR',
    repeatable: true,
    help: 'mount point of the ESP; repeat for mirrors, the first is the primary (default: /efi, /boot or /boot/efi)',
  },
  {
    name: 'xbootldr',
    value: 'DIR',
    help: 'mount point of the XBOOTLDR partition, which then has the entries and what they name (default: none)',
  },
  {
    name: 'former-xbootldr',
    value: 'DIR',
    help: 'mount point of a partition that was used so before: what is ours there is removed',
  },
  {
    name: 'profiles',
    value: 'PATH',
    repeatable: true,
    help: 'directory of generation links, or one link (default: /nix/var/nix/profiles)',
  },
  {
    name: 'systemd',
    value: 'DIR',
    help: 'holds lib/systemd/boot/efi (default: the target’s own systemd, else /usr)',
  },
  { name: 'stub', value: 'FILE', help: 'stub of the images (default: the one in --systemd)' },
  { name: 'format', value: 'uki|type1|thin', help: 'kind of boot entries (default: uki)' },
  { name: 'certificate', value: 'FILE', help: 'PEM certificate to sign for' },
  { name: 'private-key', value: 'FILE', help: 'PEM private key to sign with' },
  {
    name: 'signing-command',
    value: 'COMMAND',
    help: 'signs where the key is, instead of --private-key: SHA-256 digest in, RSA signature out',
  },
  {
    name: 'signing-batch',
    help: 'one run of --signing-command signs all: lines of hexadecimal in, lines of base64 out',
  },
  {
    name: 'signatures',
    value: 'FILE',
    help: 'signatures that another machine made, instead of --private-key: see plan --signing-request',
  },
  { name: 'allow-unsigned', help: 'install without signatures' },
  { name: 'allow-insecure-key', help: 'use a private key that others can read or replace' },
  { name: 'allow-directory', help: 'the target may be any directory, as when an image is built' },
  {
    name: 'limit',
    value: 'N',
    help: 'newest generations to keep per profile, 0 for all (default: 0)',
  },
  {
    name: 'boot-counting',
    value: 'N',
    help: 'how often a new entry is tried before it counts as bad, 0 for no counting (default: 0)',
  },
  { name: 'reserve', value: 'SIZE', help: 'space to leave to others, as 64M (default: 0)' },
  { name: 'loader-conf', value: 'FILE', help: 'settings of the boot loader; its default is ours' },
  { name: 'keep-default', help: 'let --loader-conf say which entry is the default' },
  {
    name: 'adopt',
    help: 'take over what lanzaboote or nixpkgs’ builder installed: replace it, remove what is left',
  },
  {
    name: 'system',
    value: 'DOUBLE',
    help: 'refuse generations of another system, as x86_64-linux',
  },
  { name: 'entry-token', value: 'NAME', help: 'what names on the ESP begin with (default: nixos)' },
  { name: 'booted', value: 'PATH', help: 'the running system (default: /run/booted-system)' },
  {
    name: 'cache-dir',
    value: 'DIR',
    help: 'where digests are remembered (default: /var/cache/espalier)',
  },
  {
    name: 'pins',
    value: 'DIR',
    help: 'where pins are kept (default: among the roots of Nix, else /var/lib/espalier/pins)',
  },
  {
    name: 'pcrlock-directory',
    value: 'DIR',
    help: 'where records for systemd-pcrlock are kept, as /var/lib/pcrlock.d (default: none are)',
  },
  {
    name: 'lock-timeout',
    value: 'SECONDS',
    help: 'how long to wait for another run on the same ESP (default: 60)',
  },
  {
    name: 'disk',
    value: 'FILE',
    repeatable: true,
    help: 'disk or image of one that holds what root hashes protect (default: the disks of this machine)',
  },
  {
    name: 'require-verity',
    help: 'refuse a system whose root hash is not that of partitions here',
  },
  { name: 'force', help: 'replace a newer boot loader by an older one' },
];

/** Where the settings are, and of which system. */
export const WHENCE: readonly Option[] = [
  {
    name: 'root',
    value: 'DIR',
    help: 'a system that is mounted there: every other path is one below',
  },
  { name: 'config', value: 'FILE', help: 'configuration file (default: /etc/espalier.toml)' },
];

/** A number of bytes with an optional binary suffix, as `64M`. */
const size = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((raw) => parseSize(String(raw))),
  v.number('expected bytes, or a number with K, M or G'),
);
const count = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((raw) => (/^\d{1,9}$/.test(String(raw)) ? Number(raw) : Number.NaN)),
  v.number('expected a number from 0'),
);
const flag = v.union(
  [
    v.boolean(),
    v.pipe(
      v.picklist(['1', 'true', 'yes']),
      v.transform(() => true),
    ),
    v.pipe(
      v.picklist(['0', 'false', 'no', '']),
      v.transform(() => false),
    ),
  ],
  'expected true or false',
);
const paths = v.pipe(
  v.union([
    v.array(path),
    v.pipe(
      path,
      v.transform((one) => [one]),
    ),
  ]),
  v.minLength(1),
);

/** A program and its arguments: blanks divide them, and nothing is quoted. */
const words = v.pipe(
  v.string('expected a command'),
  v.transform((text) => text.split(/\s+/).filter((word) => word !== '')),
  v.minLength(1, 'expected a command, got nothing'),
);

const schema = v.strictObject({
  esp: v.optional(paths),
  xbootldr: v.optional(path),
  'former-xbootldr': v.optional(path),
  profiles: v.optional(paths, ['/nix/var/nix/profiles']),
  systemd: v.optional(path),
  stub: v.optional(path),
  format: v.optional(v.picklist(['uki', 'type1', 'thin'], 'expected uki, type1 or thin'), 'uki'),
  certificate: v.optional(path),
  'private-key': v.optional(path),
  'signing-command': v.optional(words),
  'signing-batch': v.optional(flag, false),
  signatures: v.optional(path),
  'allow-unsigned': v.optional(flag, false),
  'allow-insecure-key': v.optional(flag, false),
  'allow-directory': v.optional(flag, false),
  limit: v.optional(count, 0),
  'boot-counting': v.optional(count, 0),
  reserve: v.optional(size, 0),
  'loader-conf': v.optional(path),
  'keep-default': v.optional(flag, false),
  adopt: v.optional(flag, false),
  system: v.optional(
    v.pipe(v.string(), v.regex(/^[a-z0-9_]+-[a-z0-9]+$/, 'expected a system double')),
  ),
  'entry-token': v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, 'expected lower-case letters, digits, `.`, `_`, `-`'),
    ),
    'nixos',
  ),
  booted: v.optional(path, '/run/booted-system'),
  'cache-dir': v.optional(path, '/var/cache/espalier'),
  pins: v.optional(path),
  'pcrlock-directory': v.optional(path),
  'lock-timeout': v.optional(count, 60),
  disk: v.optional(paths),
  'require-verity': v.optional(flag, false),
  force: v.optional(flag, false),
  /** Only in the configuration file: lines of loader.conf. */
  loader: v.optional(
    v.record(
      v.picklist(SETTINGS, 'no setting of loader.conf, or one that follows from what is installed'),
      v.union([v.string(), v.number(), v.boolean()], 'expected text, a number, true or false'),
    ),
    {},
  ),
  /** Only in the configuration file: files and entries beside those of generations. */
  'extra-files': extraFiles,
  'extra-entries': extraEntries,
  /** Only in the configuration file: files for sections of every image. */
  sections: v.optional(
    v.strictObject({
      splash: v.optional(path),
      ucode: v.optional(path),
      sbat: v.optional(path),
      profile: v.optional(path),
    }),
    {},
  ),
  /** Only in the configuration file: where the signed copies of EFI programs go, by their files. */
  'extra-sign': v.optional(v.record(absolute, absolute), {}),
});

/** Every setting with its value, by the name of its flag. Sizes in bytes. */
export type Settings = v.InferOutput<typeof schema>;

/** Values from one place, by setting name, unchecked. */
export type RawSettings = Readonly<Record<string, unknown>>;

/** Where the configuration is when no flag and no variable names another place. */
export const CONFIG_FILE = '/etc/espalier.toml';
const CONFIG_LIMIT = 1024 * 1024;

/**
 * Returns the settings in force.
 * @throws {CONFIG_INVALID} naming the flag, variable or key that is wrong
 */
export async function readSettings(
  flags: RawSettings,
  environment: Readonly<Record<string, string | undefined>>,
  disk: Disk,
): Promise<Settings> {
  const named = flags['config'] ?? environment['ESPALIER_CONFIG'];
  const file = typeof named === 'string' ? named : CONFIG_FILE;
  const sources = [
    {
      values: await readConfig(disk, file, named !== undefined),
      origin: (key: string) => `${file}: ${key}`,
    },
    { values: fromEnvironment(environment), origin: variableName },
    { values: withoutConfig(flags), origin: (key: string) => `--${key}` },
  ];
  const merged = Object.assign({}, ...sources.map(({ values }) => values)) as RawSettings;
  const mistake = (where: string, message: string) => {
    const top = where.split('.')[0] ?? '';
    const origin = sources.findLast(({ values }) => top in values)?.origin ?? String;
    return new EspError('CONFIG_INVALID', `${origin(where)}: ${message}`, {
      hint: 'see espalier install --help',
    });
  };
  const checked = v.safeParse(schema, merged);
  if (!checked.success) {
    const [issue] = checked.issues;
    throw mistake(v.getDotPath(issue) ?? '', issue.message);
  }
  const impossible = extraMistake(checked.output, checked.output['entry-token']);
  if (impossible) throw mistake(...impossible);
  const missing = namedFiles(checked.output).find(([, at]) => disk.stat(at)?.kind !== 'file');
  if (missing) throw mistake(missing[0], `${missing[1]} is no file`);
  return checked.output;
}

/** Files that are read in the middle of a run: one that is missing should be told before it. */
function namedFiles(settings: Settings): [string, string][] {
  const { 'loader-conf': loaderConf, sections } = settings;
  const named = [
    ['loader-conf', loaderConf],
    ...extraSettings(settings).map(({ key, from }) => [key, 'source' in from && from.source]),
    ...Object.entries(sections).map(([name, at]) => [`sections.${name}`, at]),
  ];
  return named.flatMap(([where, at]) => (where && at ? [[where, at] as [string, string]] : []));
}

function withoutConfig({ config: _path, ...settings }: RawSettings): RawSettings {
  return settings;
}

async function readConfig(disk: Disk, file: string, required: boolean): Promise<RawSettings> {
  if (!disk.stat(file)) {
    if (!required) return {};
    throw new EspError('CONFIG_INVALID', `${file}: there is no such configuration file`, {
      hint: 'correct --config or ESPALIER_CONFIG',
    });
  }
  const bytes = disk.read(file, CONFIG_LIMIT);
  const { parse } = await import('smol-toml');
  try {
    return parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new EspError('CONFIG_INVALID', `${file}: not TOML`, { cause });
  }
}

/** The variable for a setting: `ESPALIER_PRIVATE_KEY`. A repeatable one takes a list divided by colons. */
function variableName(option: string): string {
  return `ESPALIER_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** Returns the settings that variables give, unchecked. */
export function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): RawSettings {
  const found: Record<string, unknown> = {};
  for (const { name, repeatable } of OPTIONS) {
    const value = environment[variableName(name)];
    if (value !== undefined) found[name] = repeatable ? value.split(':') : value;
  }
  return found;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Returns the bytes that `64M` means, or NaN. */
function parseSize(text: string): number {
  const match = /^(\d{1,12})([KMG]?)$/i.exec(text);
  return Number(match?.[1] ?? Number.NaN) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? Number.NaN);
}
