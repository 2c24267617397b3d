/** Parses bootspec documents (RFC 0125, `boot.json`). */
import * as v from 'valibot';
import { EspError } from '../error.ts';
import { parseJson } from './bounded-json.ts';
import { malformed, type Place, pathText, quote } from './complaint.ts';
import { RELEASE } from './modules.ts';

/** One bootable system: a generation, or one of its specialisations. All paths are absolute. */
export interface Bootspec {
  /** The Nix system double, such as `x86_64-linux`. */
  readonly system: string;
  /** Absent for an installed kernel, whose initrd finds the system by itself. */
  readonly init?: string | undefined;
  readonly kernel: string;
  /** The command line without `init=`; one element may hold blanks inside quotes. */
  readonly kernelParams: readonly string[];
  /** Text for people. It may hold any characters, and is never part of a file name. */
  readonly label: string;
  readonly toplevel: string;
  readonly initrd?: string | undefined;
  /** A program that appends secrets to a copy of the initrd. */
  readonly initrdSecrets?: string | undefined;
  readonly sortKey?: string | undefined;
  readonly devicetree?: string | undefined;
  /** What makes this an installed kernel: its release, and where its modules are. */
  readonly installed?: InstalledKernel | undefined;
  /** Paths on the ESP of files that follow the initrd. Another program puts the files there. */
  readonly extraInitrds?: readonly string[] | undefined;
  /** Every other top-level key, unchanged. */
  readonly extensions: Readonly<Record<string, unknown>>;
  /** Specialisations by name, in the order of names. A specialisation has none of its own. */
  readonly specialisations: ReadonlyMap<string, Bootspec>;
}

/** What the document of an installed kernel says beside the common part. */
export interface InstalledKernel {
  /** `uname -r`. */
  readonly release: string;
  /** The directory of its modules. */
  readonly modules: string;
}

/** In bytes. Real documents have a few thousand. */
export const BOOTSPEC_LIMIT = 4 * 1024 * 1024;

/** The longest path in Linux (PATH_MAX), without its NUL. */
const PATH_LIMIT = 4095;
/** The longest path on FAT. */
const ESP_PATH_LIMIT = 260;

export const BOOTSPEC = 'org.nixos.bootspec.v1';
export const SPECIALISATIONS = 'org.nixos.specialisation.v1';
/** In the document of an installed kernel: its release and its modules. */
export const INSTALLED = 'org.espalier.kernel.v1';
const LANZABOOTE = 'org.nix-community.lanzaboote';
export const SYSTEMD_BOOT = 'org.nixos.systemd-boot';
const EXTRA_INITRD = 'org.nixos.extra-initrd.v1';

const text = v.pipe(
  v.string(),
  v.check((value) => !/\p{Cc}/u.test(value), 'text without control characters'),
);
const path = v.pipe(
  text,
  v.check((value) => value.startsWith('/'), 'an absolute path'),
  v.maxLength(PATH_LIMIT, `a path of at most ${PATH_LIMIT} characters`),
);
/**
 * A parameter as it stands in the command line: what a file was read with at its ends is no part of it, as
 * where the system joins its own.
 */
const parameter = v.pipe(
  v.string(),
  v.transform((value) => value.trim()),
  v.check((value) => !/\p{Cc}/u.test(value), 'text without control characters'),
);
/** `init` is the only path that becomes a word of the command line. */
const word = v.pipe(
  path,
  v.check((value) => !/[\s"]/.test(value), 'a path without blanks and quotes'),
);
/** What `uname -r` says: it is a part of paths and of file names. */
const release = v.pipe(text, v.regex(RELEASE, 'the release of a kernel'));
/** What lanzaboote takes for one: it does not look whether that is there. */
const anyWord = v.pipe(
  text,
  v.check((value) => /^[^\s"]+$/.test(value), 'a path without blanks and quotes'),
);
/** A path on the ESP that may stand in an entry. Quotes and a final blank would change it there. */
const espFile = v.pipe(
  text,
  v.check(
    (value) =>
      /^(?![\s"']).*\S$/.test(value) &&
      value.split('/').every((part) => !['', '.', '..'].includes(part)) &&
      !value.includes('\\'),
    'a relative path on the ESP, without ".."',
  ),
  v.maxLength(ESP_PATH_LIMIT, `a path of at most ${ESP_PATH_LIMIT} characters`),
);
/** valibot's `object` also accepts an array. */
export const record = v.custom<Record<string, unknown>>(isRecord, 'object');

/**
 * In RFC 0125 an optional key may only be absent. But documents from its own reference tool hold
 * nulls, so null counts as absent.
 */
const documentSchema = documentWith(word);
const lenientSchema = documentWith(anyWord);
const installedSchema = documentWith(v.optional(v.undefined()));

function documentWith(init: v.GenericSchema<unknown, string | undefined>) {
  return v.pipe(
    record,
    v.object({
      [BOOTSPEC]: v.pipe(
        record,
        v.object({
          system: text,
          init,
          kernel: path,
          kernelParams: v.array(parameter),
          label: v.string(),
          toplevel: path,
          initrd: v.nullish(path),
          initrdSecrets: v.nullish(path),
        }),
      ),
      [LANZABOOTE]: v.nullish(v.pipe(record, v.object({ sort_key: v.nullish(text) }))),
      [SYSTEMD_BOOT]: v.nullish(
        v.pipe(record, v.object({ sortKey: v.nullish(text), devicetree: v.nullish(path) })),
      ),
      [EXTRA_INITRD]: v.nullish(v.pipe(record, v.object({ paths: v.nullish(v.array(espFile)) }))),
      [INSTALLED]: v.nullish(v.pipe(record, v.object({ release, modules: path }))),
    }),
  );
}

/** What is taken that would otherwise be a fault. */
export interface Leniency {
  /** Any `init`, whether or not it is there, as lanzaboote takes it. */
  readonly anyInit?: boolean;
}

/** Keys of the outermost document alone: specialisations of a specialisation mean nothing. */
const familySchema = v.object({ [SPECIALISATIONS]: v.nullish(record) });

/**
 * Parses the text of a `boot.json` (RFC 0125 §Bootspec Format v1).
 * @param file its path, for errors
 * @throws {BOOTSPEC_MALFORMED} when it is not JSON, or a value is missing or of the wrong kind
 * @throws {BOOTSPEC_UNSUPPORTED} when it holds only other versions of the format
 */
export function parseBootspec(text: string, file: string, leniency: Leniency = {}): Bootspec {
  return toBootspec(parseJson(text, file), file, leniency);
}

/**
 * Reads a bootspec from parsed JSON, with its specialisations.
 * @throws {BOOTSPEC_MALFORMED} @throws {BOOTSPEC_UNSUPPORTED} as {@link parseBootspec}
 */
export function toBootspec(document: unknown, file: string, leniency: Leniency = {}): Bootspec {
  const place = { file, path: [] };
  const bootspec = readDocument(document, place, leniency);
  const family = validate(familySchema, document, place)[SPECIALISATIONS] ?? {};
  const specialisations = Object.entries(family)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, child]): [string, Bootspec] => {
      return [name, readDocument(child, { file, path: [SPECIALISATIONS, name] }, leniency)];
    });
  return { ...bootspec, specialisations: new Map(specialisations) };
}

function readDocument(document: unknown, place: Place, { anyInit }: Leniency): Bootspec {
  requireVersion(document, place);
  const strict = isRecord(document) && document[INSTALLED] ? installedSchema : documentSchema;
  const output = validate(anyInit ? lenientSchema : strict, document, place);
  const { [BOOTSPEC]: entry, [SYSTEMD_BOOT]: systemdBoot, [LANZABOOTE]: lanzaboote } = output;
  const extraInitrds = output[EXTRA_INITRD]?.paths ?? [];
  if (typeof entry.initrdSecrets === 'string' && typeof entry.initrd !== 'string') {
    const where = pathText([...place.path, BOOTSPEC, 'initrdSecrets']);
    throw new EspError(
      'BOOTSPEC_MALFORMED',
      `${place.file}: ${where}: expected an initrd beside it, got none`,
    );
  }
  return {
    ...entry,
    initrd: entry.initrd ?? undefined,
    initrdSecrets: entry.initrdSecrets ?? undefined,
    // An empty sort key sorts nothing, so it counts as none.
    sortKey: lanzaboote?.sort_key || systemdBoot?.sortKey || undefined,
    devicetree: systemdBoot?.devicetree ?? undefined,
    ...(output[INSTALLED] ? { installed: output[INSTALLED] } : {}),
    ...(extraInitrds.length > 0 ? { extraInitrds } : {}),
    extensions: extensionsOf(document),
    specialisations: new Map(),
  };
}

/** Stops at the first fault: a hostile document could hold millions. */
function validate<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  place: Place,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true });
  if (!result.success) throw malformed(result.issues[0], place);
  return result.output;
}

/** Refuses a document of another version with its own error, so that it does not look broken. */
function requireVersion(document: unknown, { file, path }: Place): void {
  if (!isRecord(document) || Object.hasOwn(document, BOOTSPEC)) return;
  // "v1" is what previews of the format used before RFC 0125 was accepted.
  const other = Object.keys(document).find(
    (key) => key === 'v1' || key.startsWith('org.nixos.bootspec.'),
  );
  if (other === undefined) return;
  throw new EspError(
    'BOOTSPEC_UNSUPPORTED',
    `${file}: ${pathText(path)}: expected ${quote(BOOTSPEC)}, got only ${quote(other)}`,
    { hint: 'update this program, or delete that generation if it is old' },
  );
}

/** A null counts as an absent extension. Other versions of the document are no extensions. */
function extensionsOf(document: unknown): Readonly<Record<string, unknown>> {
  const entries = isRecord(document) ? Object.entries(document) : [];
  return Object.fromEntries(
    entries.filter(
      ([key, value]) => value !== null && !/^org\.nixos\.(bootspec|specialisation)\./.test(key),
    ),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
