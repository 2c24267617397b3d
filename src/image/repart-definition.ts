/** Makes a partition of a definition of systemd-repart (repart.d(5)). */
import { type Assignment, parseUnit } from '../confine/unit-syntax.ts';
import { EspError } from '../error.ts';
import { attributesOf, type Flag } from '../gpt/flags.ts';
import { parsePartitionType, partitionTypeGuid, partitionTypeName } from '../gpt/partition-type.ts';
import { type Guid, parseGuid } from '../guid.ts';
import { nearest } from '../settings/nearest.ts';
import type { Contents } from '../tree/contents.ts';
import type { PartitionDefinition, VerityPart } from './definition.ts';
import { expandSpecifiers } from './definition-values.ts';
import { grows, knowsNoAuto, knowsReadOnly, startsReadOnly } from './partition-defaults.ts';
import {
  isDone,
  KEYS,
  NOT_DONE,
  type RepartValues,
  readKey,
  Unacceptable,
  WITHOUT_EFFECT,
} from './repart-keys.ts';

/** A file of a definition, and what is in it. */
export interface DefinitionFile {
  readonly path: string;
  readonly text: string;
}

/** What holds for all definitions. */
export interface DefinitionSettings {
  /** As systemd writes it in names of types. */
  readonly architecture: string;
}

const SECTION = 'Partition';
const NO_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * Returns the partition that a file and what is dropped into it declare.
 * @throws {CONFIG_INVALID} naming file and key
 */
export function parseRepartDefinition(
  [main, ...dropIns]: readonly [DefinitionFile, ...DefinitionFile[]],
  settings: DefinitionSettings,
): PartitionDefinition {
  const values = valuesOf([main, ...dropIns]);
  const type = typeOf(values, main.path, settings);
  const verity = verityOf(values, main.path, partitionTypeName(type));
  const { CopyFiles = [], MakeDirectories = [], MakeSymlinks = [], ExcludeFiles = [] } = values;
  const names = { ...specifiers(settings), t: partitionTypeName(type) };
  return {
    name: main.path,
    file: main.path,
    dropIns: dropIns.map(({ path }) => path),
    type,
    label: expanded('Label', values.Label, names, main.path),
    uuid: uuidOf(values.UUID, main.path),
    format: values.Format,
    contents: [
      ...CopyFiles.map((copy) => withoutExcluded(copy, ExcludeFiles)),
      ...MakeDirectories.map((target) => ({ kind: 'directory', target }) as const),
      ...MakeSymlinks,
    ],
    copyBlocks: values.CopyBlocks,
    size: { min: values.SizeMinBytes, max: values.SizeMaxBytes, weight: values.Weight ?? 1000 },
    padding: {
      min: values.PaddingMinBytes,
      max: values.PaddingMaxBytes,
      weight: values.PaddingWeight ?? 0,
    },
    isMinimal: (values.Minimize ?? 'off') !== 'off',
    verity,
    attributes: attributes(values, type, verity),
    splitName: values.SplitName === '-' ? undefined : (values.SplitName ?? '%t'),
    compression: values.Compression,
    compressionLevel: values.CompressionLevel,
  };
}

function valuesOf(files: readonly DefinitionFile[]): RepartValues {
  const found = files.flatMap(({ path, text }) =>
    parseUnit(text).flatMap((assignment) =>
      isForOthers(assignment) ? [] : [{ ...assignment, path }],
    ),
  );
  for (const assignment of found) requireKnown(assignment, assignment.path);
  return Object.fromEntries(
    KEYS.flatMap((key) => {
      const own = found.filter((assignment) => assignment.key === key);
      const where = own.at(-1)?.path;
      return where === undefined
        ? []
        : [
            [
              key,
              readValue(
                key,
                own.map(({ value }) => value),
                where,
              ),
            ],
          ];
    }),
  );
}

function readValue(key: keyof RepartValues, values: readonly string[], path: string): unknown {
  try {
    return readKey(key, values);
  } catch (error) {
    if (!(error instanceof Unacceptable)) throw error;
    const got = JSON.stringify(values.at(-1)?.slice(0, 64));
    throw new EspError('CONFIG_INVALID', `${path}: ${key}=: expected ${error.message}, got ${got}`);
  }
}

/** As systemd.syntax(7) says, what is named so is for other programs. */
const isForOthers = ({ section, key }: Assignment) =>
  section.startsWith('X-') || key.startsWith('X-');

function requireKnown({ section, key, value }: Assignment, path: string): void {
  if (section !== SECTION) {
    throw new EspError(
      'CONFIG_INVALID',
      `${path}: expected the section [${SECTION}], got [${section}]`,
    );
  }
  if (isDone(key) || WITHOUT_EFFECT.has(key) || NOT_DONE.get(key)?.test(value) === true) return;
  const isTheirs = NOT_DONE.has(key);
  const meant = nearest(key, KEYS);
  throw new EspError(
    'CONFIG_INVALID',
    isTheirs
      ? `${path}: ${key}=${value} is not done here`
      : `${path}: there is no key ${JSON.stringify(key)}`,
    {
      hint: isTheirs
        ? 'make this partition with systemd-repart, or leave the key out'
        : meant && `did you mean ${meant}=?`,
    },
  );
}

function typeOf(values: RepartValues, path: string, { architecture }: DefinitionSettings): Guid {
  const { Type } = values;
  const type = Type === undefined ? undefined : partitionTypeGuid(Type, architecture);
  if (type !== undefined) return type;
  const got = Type === undefined ? 'none' : JSON.stringify(Type);
  throw new EspError(
    'CONFIG_INVALID',
    `${path}: Type=: expected a type of partitions, as esp, root or usr-verity, or its GUID, got ${got}`,
  );
}

function uuidOf(text: string | undefined, path: string): Guid | undefined {
  if (text === undefined) return undefined;
  const uuid = parseGuid(text === 'null' ? NO_UUID : text);
  if (uuid !== undefined) return uuid;
  throw new EspError('CONFIG_INVALID', `${path}: UUID=: expected a UUID or null, got ${text}`);
}

function verityOf(values: RepartValues, path: string, type: string): VerityPart | undefined {
  const { Verity: role = 'off', VerityMatchKey: group } = values;
  if (role === 'off') return undefined;
  const expected = { data: 'data', hash: 'verity', signature: 'verity-sig' }[role];
  const content = parsePartitionType(type)?.content;
  if (content !== undefined && content !== expected) {
    throw new EspError(
      'CONFIG_INVALID',
      `${path}: Verity=${role} and Type=${type} contradict each other`,
    );
  }
  if (group === undefined) {
    throw new EspError('CONFIG_INVALID', `${path}: Verity=${role} without VerityMatchKey=`, {
      hint: 'give all partitions of the group one VerityMatchKey=',
    });
  }
  const { VerityDataBlockSizeBytes: dataBlockSize, VerityHashBlockSizeBytes: hashBlockSize } =
    values;
  return { role, group, dataBlockSize, hashBlockSize };
}

function attributes(values: RepartValues, type: Guid, verity: VerityPart | undefined): bigint {
  const name = partitionTypeName(type);
  const readOnly = values.ReadOnly ?? startsReadOnly(verity);
  const flags: readonly (readonly [boolean, Flag])[] = [
    [values.NoAuto === true && knowsNoAuto(name), 'no-auto'],
    [readOnly && knowsReadOnly(name), 'read-only'],
    [(values.GrowFileSystem ?? !readOnly) && grows(name), 'grow-file-system'],
  ];
  return (
    (values.Flags ?? 0n) | attributesOf(flags.flatMap(([isSet, flag]) => (isSet ? [flag] : [])))
  );
}

/** What `%` and a letter stand for in an image that is no machine yet. */
function specifiers({ architecture }: DefinitionSettings): Readonly<Record<string, string>> {
  return { a: architecture };
}

function expanded(
  key: string,
  text: string | undefined,
  names: Readonly<Record<string, string>>,
  path: string,
): string | undefined {
  if (text === undefined) return undefined;
  const result = expandSpecifiers(text, names);
  if ('text' in result) return result.text;
  throw new EspError('CONFIG_INVALID', `${path}: ${key}=: ${result.unknown} is not known here`, {
    hint: 'write the text that it stands for',
  });
}

/** Definitions name what is excluded by its own path, and contents by the path below the source. */
function withoutExcluded(copy: Contents, excluded: readonly string[]): Contents {
  if (copy.kind !== 'copy') return copy;
  const source = copy.source.replace(/\/*$/, '/');
  const exclude = excluded.flatMap((path) =>
    path.startsWith(source) ? [path.slice(source.length)] : [],
  );
  return exclude.length === 0 ? copy : { ...copy, exclude };
}
