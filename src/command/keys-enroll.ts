/** `keys enroll`: puts keys on the ESP, from where systemd-boot enrols them in firmware. */
import { resolve } from 'node:path';
import * as v from 'valibot';
import { lastValue } from '../bls.ts';
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import {
  additionTimes,
  type EnrolmentFiles,
  enrolmentDirectory,
  enrolmentTimes,
  readEnrolment,
} from '../enrolment/enrolment-files.ts';
import { refusedEntries } from '../enrolment/entry-trust.ts';
import { forbiddenTrust, readDbx } from '../enrolment/others.ts';
import { type KeySet, keyPaths, loadKeySet } from '../enrolment/set.ts';
import { trustedSignatures } from '../enrolment/trusted-signatures.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { type EspPath, LOADER_CONF } from '../esp/layout.ts';
import { readLoaderConf } from '../esp/loader-conf-file.ts';
import type { FirmwareKeys } from '../inspection/firmware-trust.ts';
import { loaderStatuses } from '../inspection/loader-views.ts';
import { EFI_VARIABLES, setupMode } from '../loader/efi-variables.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { parseForbidden } from '../secureboot/forbidden.ts';
import { KEY_NAMES } from '../secureboot/key-variable.ts';
import { formatSignatureLists, type Signature } from '../secureboot/signature-list.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { formatEnrolment, formatForbidden, type PerVariable } from '../signer/enrolment.ts';
import { KEY_DIRECTORY } from '../signer/key-directory.ts';
import type { Log } from '../terminal/log.ts';
import { enrolmentFile, placeEnrolment } from '../transaction/place-enrolment.ts';
import { lockEsp } from '../volumes/esp-lock.ts';
import { espRoots } from '../volumes/esp-roots.ts';

const VERB = 'keys enroll';
/**
 * The name of the one set that systemd-boot may enrol unasked (loader.conf(5)
 * `secure-boot-enroll`).
 */
const AUTOMATIC = 'auto';

const path = v.pipe(
  v.string(),
  v.transform((given) => resolve(given)),
);

const schema = v.strictObject({
  next: v.optional(v.boolean(), false),
  name: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'expected letters, digits, `.`, `_`, `-`'),
    ),
    AUTOMATIC,
  ),
  microsoft: v.optional(v.array(path), []),
  certificates: v.optional(v.array(path), []),
  'keep-firmware': v.optional(v.boolean(), false),
  dbx: v.optional(path),
  'yes-this-might-brick-my-machine': v.optional(v.boolean(), false),
});
type Flags = v.InferOutput<typeof schema>;

/** Flags of this verb alone; all others are settings. */
const OWN = Object.keys(schema.entries);

/**
 * Writes a set of keys to every ESP. With `--next` it writes the update for db's next key. Existing
 * files stay as they are.
 * @throws {OPTION_ROMS_UNTRUSTED} when firmware would refuse option ROMs, and no flag accepts that
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 */
export async function keysEnroll(
  { operands: [named], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const [own, others] = split(flags);
  const wishes = readFlags(schema, own, VERB);
  const settings = await readSettings(others, environment, disk);
  const directory = resolve(named ?? KEY_DIRECTORY);
  if (wishes.next) {
    const { enrollNext } = await import('./keys-enroll-next.ts');
    return enrollNext(directory, settings['allow-insecure-key'], json, context);
  }
  const keys = loadKeySet(directory, settings['allow-insecure-key'], context);
  const { signatures, remarks } = trustedSignatures(keys, wishesOf(wishes, context), disk);
  const dbx = wishes.dbx === undefined ? undefined : readDbx(wishes.dbx, disk);
  const taken = wishes.dbx && dbx ? forbiddenTrust(wishes.dbx, dbx, signatures.db) : [];
  const roots = espRoots(settings, context);
  const place = enrolmentDirectory(wishes.name);
  const wanted = { directory, keys, signatures };
  const { writes: three, time } = enrolmentAfter(roots, place, wanted, context);
  const writes = { ...three, ...(dbx && { dbx: formatForbidden(dbx, keys.KEK, time) }) };
  const log = async () => (await import('../terminal/log.ts')).openLog(verbosity);
  const esps = [];
  for (const root of roots) {
    const written = await placeOn(root, place, writes, { settings, context, log });
    esps.push({ esp: root, path: place, written });
  }
  const { certificate } = keyPaths(directory, 'db');
  const firmware = {
    known: signatures.db,
    forbidden: parseForbidden(dbx ?? new Uint8Array()),
    ...{ hasShim: false, problems: [] },
  };
  const warnings = [
    ...remarks,
    ...taken,
    ...(await warningsOf(roots, { ...settings, certificate }, firmware, context)),
  ];
  const done = { directory, name: wishes.name, time: new Date(time * 1000).toISOString(), esps };
  if (json) print(JSON.stringify({ version: 1, verb: VERB, ...done, warnings }, undefined, 2));
  else print([...esps.map(renderEsp), ...nextSteps(wishes.name, context)].join('\n'));
  for (const warning of warnings) (await log()).warn(warning);
  return warnings.length > 0 ? EXIT_WARNINGS : 0;
}

function wishesOf(
  { microsoft, certificates, ...flags }: Flags,
  { environment }: Context,
): Parameters<typeof trustedSignatures>[1] {
  const firmware = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  return {
    ...{ microsoft, certificates },
    firmware: flags['keep-firmware'] ? firmware : undefined,
    needsNoOptionRoms: flags['yes-this-might-brick-my-machine'],
  };
}

function split(flags: RawSettings): [own: RawSettings, others: RawSettings] {
  const entries = Object.entries(flags);
  const isOwn = ([key]: [string, unknown]) => OWN.includes(key);
  return [
    Object.fromEntries(entries.filter(isOwn)),
    Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
  ];
}

/** The keys of a directory, and the content of each variable. */
interface Wanted {
  readonly directory: string;
  readonly keys: KeySet;
  readonly signatures: PerVariable<readonly Signature[]>;
}

/**
 * Returns the writes. It reuses those on the primary ESP when they are equal and the latest. New
 * writes get a time later than every write on the ESPs, whatever the clock says: firmware refuses
 * an older time.
 */
function enrolmentAfter(
  roots: readonly string[],
  place: EspPath,
  { directory, keys, signatures }: Wanted,
  { disk, now }: Context,
): { writes: PerVariable<Uint8Array>; time: number } {
  const content = {
    PK: formatSignatureLists(signatures.PK),
    KEK: formatSignatureLists(signatures.KEK),
    db: formatSignatureLists(signatures.db),
  };
  const latest = Math.max(
    ...[0, ...additionTimes(directory, disk)],
    ...roots.flatMap((root) => enrolmentTimes(root, disk)),
  );
  const known = formatEnrolment(content, keys, latest);
  const [primary] = roots;
  if (primary !== undefined && isSame(readEnrolment(primary, place, disk), known)) {
    return { writes: known, time: latest };
  }
  const made = KEY_NAMES.map((name) => keys[name].certificate.validFromDate.getTime() / 1000);
  const time = Math.max(now, latest + 1, ...made);
  return { writes: formatEnrolment(content, keys, time), time };
}

function isSame(found: EnrolmentFiles, wanted: PerVariable<Uint8Array>): boolean {
  return KEY_NAMES.every((name) => Buffer.compare(found[name] ?? Buffer.of(), wanted[name]) === 0);
}

/** The three writes, and that of dbx where it was asked for. */
type Writes = PerVariable<Uint8Array> & { readonly dbx?: Uint8Array };

function isSameDbx(root: string, place: EspPath, { dbx }: Writes, disk: Disk): boolean {
  if (dbx === undefined) return true;
  const file = `${root}/${enrolmentFile(place, 'dbx')}`;
  const stat = disk.stat(file);
  if (stat?.kind !== 'file' || stat.size !== dbx.length) return false;
  return Buffer.compare(disk.read(file, dbx.length), dbx) === 0;
}

/** Tells whether anything had to be written. */
async function placeOn(
  root: string,
  place: EspPath,
  writes: Writes,
  { settings, context, log }: { settings: Settings; context: Context; log: () => Promise<Log> },
): Promise<boolean> {
  const { disk, processId } = context;
  const isThere =
    isSame(readEnrolment(root, place, disk), writes) && isSameDbx(root, place, writes, disk);
  if (isThere) return false;
  using _lock = await lockEsp(root, disk.stat(root), {
    verb: VERB,
    context,
    log,
    lockTimeout: settings['lock-timeout'],
  });
  await placeEnrolment(place, writes, { disk, root, processId });
  return true;
}

/**
 * Warns of what would keep the machine from booting after enrolment, or stop the enrolment itself.
 */
async function warningsOf(
  roots: readonly string[],
  settings: Settings,
  firmware: FirmwareKeys,
  context: Context,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const root of roots) {
    for (const { path: loader, problem } of await loaderStatuses(root, settings, context)) {
      if (problem) {
        warnings.push(`${root}/${loader}: ${problem}; with these keys it will not start`);
      }
    }
    if (loaderSetting(root, context.disk) === 'off') {
      warnings.push(`${root}/${LOADER_CONF}: secure-boot-enroll is off, and hides the keys`);
    }
    warnings.push(...refusedEntries(root, firmware, settings, context));
  }
  return warnings;
}

function loaderSetting(root: string, disk: Disk): string | undefined {
  const path = `${root}/${LOADER_CONF}`;
  if (disk.stat(path)?.kind !== 'file') return undefined;
  return lastValue(parseLoaderConf(readLoaderConf(path, disk)), 'secure-boot-enroll');
}

function renderEsp({ esp, path, written }: { esp: string; path: string; written: boolean }) {
  return `${esp}/${path}: ${written ? 'written' : 'nothing to do'}`;
}

/** Returns the steps that are left for a person. */
function nextSteps(name: string, { disk, environment }: Context): readonly string[] {
  const efivars = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  return [
    'next: install with db’s certificate and key, and look that espalier verify --deep finds all signed',
    ...(setupMode(disk, efivars) === true
      ? []
      : [
          'next: delete the platform key in the setup of the firmware, which is then in Setup Mode',
        ]),
    `next: restart, and choose “Enroll Secure Boot keys: ${name}” in the menu of systemd-boot`,
    ...(name === AUTOMATIC
      ? [
          '      (secure-boot-enroll = "force" in [loader] of the configuration does it without asking)',
        ]
      : []),
  ];
}
