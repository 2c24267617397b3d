/** `keys enroll`: puts keys on the ESP, for systemd-boot to enrol them in firmware. */
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
import { readMicrosoftCertificates } from '../enrolment/microsoft-certificates.ts';
import { type KeySet, keyPaths, loadKeySet } from '../enrolment/set.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { type EspPath, LOADER_CONF } from '../esp/layout.ts';
import { readLoaderConf } from '../esp/loader-conf-file.ts';
import { loaderStatuses } from '../inspection/loader-views.ts';
import { EFI_VARIABLES, setupMode } from '../loader/efi-variables.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { KEY_NAMES, type KeyVariable } from '../secureboot/key-variable.ts';
import { formatSignatureLists, type Signature, X509 } from '../secureboot/signature-list.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { formatEnrolment, type PerVariable } from '../signer/enrolment.ts';
import { KEY_DIRECTORY } from '../signer/key-directory.ts';
import type { Log } from '../voice/log.ts';
import { lockEsp } from '../volumes/esp-lock.ts';
import { espRoots } from '../volumes/esp-roots.ts';

const VERB = 'keys enroll';
/** The one set that systemd-boot may enrol without being asked (loader.conf(5) `secure-boot-enroll`). */
const AUTOMATIC = 'auto';

const schema = v.strictObject({
  next: v.optional(v.boolean(), false),
  name: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'expected letters, digits, `.`, `_`, `-`'),
    ),
    AUTOMATIC,
  ),
  microsoft: v.optional(
    v.array(
      v.pipe(
        v.string(),
        v.transform((path) => resolve(path)),
      ),
    ),
    [],
  ),
  'yes-this-might-brick-my-machine': v.optional(v.boolean(), false),
});
type Flags = v.InferOutput<typeof schema>;

/** Flags of this verb's own; the others are settings. */
const OWN = Object.keys(schema.entries);

/**
 * Writes a set of keys to every ESP, or with `--next` the update for db's next key. What is there
 * already stays as it is.
 * @throws {OPTION_ROMS_UNTRUSTED} when firmware would not start what devices bring, and nobody said yes
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
  const signatures = signaturesFor(keys, wishes, disk);
  const roots = espRoots(settings, context);
  const place = enrolmentDirectory(wishes.name);
  const wanted = { directory, keys, signatures };
  const { writes, time } = enrolmentAfter(roots, place, wanted, context);
  const log = async () => (await import('../voice/log.ts')).openLog(verbosity);
  const esps = [];
  for (const root of roots) {
    const written = await placeOn(root, place, writes, { settings, context, log });
    esps.push({ esp: root, path: place, written });
  }
  const warnings = await warningsOf(
    roots,
    keyPaths(directory, 'db').certificate,
    settings,
    context,
  );
  const done = { directory, name: wishes.name, time: new Date(time * 1000).toISOString(), esps };
  if (json) print(JSON.stringify({ version: 1, verb: VERB, ...done, warnings }, undefined, 2));
  else print([...esps.map(renderEsp), ...nextSteps(wishes.name, context)].join('\n'));
  for (const warning of warnings) (await log()).warn(warning);
  return warnings.length > 0 ? EXIT_WARNINGS : 0;
}

function split(flags: RawSettings): [own: RawSettings, others: RawSettings] {
  const entries = Object.entries(flags);
  const isOwn = ([key]: [string, unknown]) => OWN.includes(key);
  return [
    Object.fromEntries(entries.filter(isOwn)),
    Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
  ];
}

/** What each variable will hold: the owner's certificate first, then Microsoft's. */
function signaturesFor(
  keys: KeySet,
  { microsoft, 'yes-this-might-brick-my-machine': isBrave }: Flags,
  disk: Disk,
): PerVariable<readonly Signature[]> {
  const theirs = readMicrosoftCertificates(microsoft, disk);
  if (!isBrave && !theirs.some(({ signsOptionRoms }) => signsOptionRoms)) {
    throw new EspError(
      'OPTION_ROMS_UNTRUSTED',
      'no certificate of Microsoft that signs option ROMs: with these keys firmware would not start what graphics and other cards bring, and may never show a picture again',
      {
        hint: 'give the certificates of Microsoft’s UEFI CA with --microsoft; --yes-this-might-brick-my-machine where no device needs them, as in a virtual machine',
      },
    );
  }
  const all = (variable: KeyVariable): readonly Signature[] => [
    { type: X509, owner: keys.owner, data: Uint8Array.from(keys[variable].certificate.raw) },
    ...theirs.filter((each) => each.variable === variable).map(({ signature }) => signature),
  ];
  return { PK: all('PK'), KEK: all('KEK'), db: all('db') };
}

/** The keys of a directory, and what each variable will hold. */
interface Wanted {
  readonly directory: string;
  readonly keys: KeySet;
  readonly signatures: PerVariable<readonly Signature[]>;
}

/**
 * Returns the writes: those on the primary ESP when they are the same and the latest, else new ones
 * whose time is later than that of any that was ever put on one of the ESPs, whatever the clock says.
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

/** Tells whether anything had to be written. */
async function placeOn(
  root: string,
  place: EspPath,
  writes: PerVariable<Uint8Array>,
  { settings, context, log }: { settings: Settings; context: Context; log: () => Promise<Log> },
): Promise<boolean> {
  const { disk, processId } = context;
  if (isSame(readEnrolment(root, place, disk), writes)) return false;
  const { placeEnrolment } = await import('../transaction/place-enrolment.ts');
  using _lock = await lockEsp(root, disk.stat(root), {
    verb: VERB,
    context,
    log,
    lockTimeout: settings['lock-timeout'],
  });
  await placeEnrolment(place, writes, { disk, root, processId });
  return true;
}

/** What would keep the machine from booting once the keys are enrolled, and the keys from being enrolled. */
async function warningsOf(
  roots: readonly string[],
  certificate: string,
  settings: Settings,
  context: Context,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const root of roots) {
    for (const { path, problem } of await loaderStatuses(
      root,
      { ...settings, certificate },
      context,
    )) {
      if (problem) warnings.push(`${root}/${path}: ${problem}; with these keys it will not start`);
    }
    if (loaderSetting(root, context.disk) === 'off') {
      warnings.push(`${root}/${LOADER_CONF}: secure-boot-enroll is off, and hides the keys`);
    }
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

/** What is left for a person to do. */
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
