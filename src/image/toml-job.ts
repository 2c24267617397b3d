/** From the values of a description in TOML to what is to be made. */

import { resolve } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { attributesOf, type Flag } from '../gpt/flags.ts';
import { partitionTypeGuid, partitionTypeName } from '../gpt/partition-type.ts';
import type { SignerFiles } from '../signer/pem.ts';
import { type Contents, STEADY } from '../tree/contents.ts';
import { NO_SEED } from '../verity/seed.ts';
import type { PartitionDefinition, VerityPart } from './definition.ts';
import { asGuid } from './identity.ts';
import type { ImageJob } from './image-job.ts';
import { parseBootSize } from './nixpkgs-table.ts';
import { grows, startsReadOnly } from './partition-defaults.ts';
import { invalid, type ReadDescription } from './toml-description.ts';
import { espOf, sizeOfUkis } from './toml-esp.ts';
import type { TomlContents, TomlPartition } from './toml-schema.ts';
import { requireUsed, typeOf } from './toml-uses.ts';
import { variablesOf, type WantedVariables } from './toml-variables.ts';

/** What a command line may say differently. */
export interface Overrides {
  readonly seed?: Uint8Array | undefined;
  readonly size?: number | 'auto' | undefined;
  readonly sectorSize?: number | undefined;
  readonly architecture?: string | undefined;
  readonly isSplit: boolean;
  readonly deferred: readonly string[];
  readonly key?: SignerFiles | undefined;
  readonly allowInsecureKey: boolean;
  readonly format?: string | undefined;
  readonly variables?: WantedVariables | undefined;
}

const MIB = 1024 * 1024;
const BIOS_LIMIT = 4 * MIB;
/** `rootFSUID` of make-disk-image. */
const ROOT_FILE_SYSTEM = asGuid('f222513b-ded1-49fa-b591-20ce86a2fe7f');

/**
 * Returns what a description asks for.
 * @throws {CONFIG_INVALID} when it contradicts itself
 */
export function tomlJob(read: ReadDescription, overrides: Overrides, disk: Disk): ImageJob {
  const { values } = read;
  requireUsed(read);
  const time = values['source-date-epoch'] ?? 0;
  const architecture = overrides.architecture ?? values.architecture ?? 'x86-64';
  const allowInsecureKey = overrides.allowInsecureKey || (values['allow-insecure-key'] ?? false);
  return {
    disk:
      values.table === undefined
        ? partitionsOf(read, overrides, architecture, disk)
        : makeDiskImage(read, overrides, disk),
    tree: { ...STEADY, time },
    time,
    architecture,
    esp: espOf(read, allowInsecureKey),
    key: overrides.key ?? keyOf(read, allowInsecureKey),
    format: overrides.format ?? values.format,
    isSplit: overrides.isSplit || (values.split ?? false),
    variables: overrides.variables ?? variablesOf(read),
  };
}

function partitionsOf(
  read: ReadDescription,
  overrides: Overrides,
  architecture: string,
  disk: Disk,
): ImageJob['disk'] {
  const { partition: partitions = [], seed, size, 'sector-size': sectorSize } = read.values;
  if (partitions.length === 0) {
    throw invalid(read, 'expected [[partition]] or table, got neither', 'see docs/images.md');
  }
  const chosen = overrides.sectorSize ?? sectorSize;
  return {
    kind: 'partitions',
    partitions: partitions.map((each, index) =>
      definitionOf(each, index, { read, architecture, disk }),
    ),
    seed: overrides.seed ?? seed ?? NO_SEED,
    size: overrides.size ?? size ?? 'auto',
    sectorSize: chosen ?? 512,
    verityBlockSize: 4096,
    deferred: deferredTypes(overrides.deferred, architecture),
  };
}

/** Returns the types of which partitions are left empty. @throws {CONFIG_INVALID} */
export function deferredTypes(names: readonly string[], architecture: string) {
  return new Set(
    names.map((name) => {
      const guid = partitionTypeGuid(name, architecture);
      if (guid !== undefined) return guid;
      throw new EspError(
        'CONFIG_INVALID',
        `--defer: expected a type of partitions, as esp, got ${JSON.stringify(name)}`,
      );
    }),
  );
}

function definitionOf(
  given: TomlPartition,
  index: number,
  { read, architecture, disk }: { read: ReadDescription; architecture: string; disk: Disk },
): PartitionDefinition {
  const name = given.id ?? `partition ${index + 1}`;
  const type = partitionTypeGuid(given.type, architecture);
  if (type === undefined) {
    throw invalid(
      read,
      `${name}: expected a type of partitions, as esp or usr-verity, got ${JSON.stringify(given.type)}`,
    );
  }
  const { label, uuid, size, padding, compression } = given;
  const isForLoaders = ['esp', 'xbootldr'].includes(typeOf(given));
  const format = given.format ?? (isForLoaders ? 'vfat' : undefined);
  const verity = verityOf(given, name, read);
  const exact = size === undefined || size === 'auto' ? undefined : size;
  return {
    ...{ name, dropIns: [], type, label, uuid, format, verity, compression },
    contents: given.contents.map((each) => contentsOf(each, read)),
    copyBlocks: given['copy-blocks'] && resolve(read.directory, given['copy-blocks']),
    size: {
      min: exact ?? given['min-size'],
      max: exact ?? given['max-size'],
      weight: given.weight ?? 1000,
    },
    padding: { min: padding, max: padding, weight: 0 },
    besides: sizeOfUkis(given, read, disk),
    isMinimal: given.minimal ?? false,
    isInMbr: given['in-mbr'],
    attributes: attributesFor(given, partitionTypeName(type), verity),
    splitName: given['split-name'] === '-' ? undefined : (given['split-name'] ?? '%t'),
    compressionLevel: given['compression-level'],
  };
}

function verityOf(
  given: TomlPartition,
  name: string,
  read: ReadDescription,
): VerityPart | undefined {
  const { verity: role, match: group } = given;
  if (role === undefined) return undefined;
  if (group === undefined) {
    throw invalid(
      read,
      `${name}: verity without match`,
      'give all partitions of the group one match',
    );
  }
  const blocks = given['data-blocks'];
  const sizes = {
    dataBlocks: blocks === 'all' ? undefined : blocks,
    dataBlockSize: given['data-block-size'],
    hashBlockSize: given['hash-block-size'],
  };
  const isBehind = given['verity-hash'] === 'behind';
  return { role, group, ...(isBehind && { isBehind }), ...sizes };
}

function attributesFor(given: TomlPartition, type: string, verity: VerityPart | undefined): bigint {
  const readOnly = given['read-only'] ?? startsReadOnly(verity);
  const flags: readonly (readonly [boolean, Flag])[] = [
    [given['no-auto'] ?? false, 'no-auto'],
    [readOnly, 'read-only'],
    [given.grow ?? (!readOnly && grows(type)), 'grow-file-system'],
  ];
  return attributesOf(flags.flatMap(([isSet, flag]) => (isSet ? [flag] : [])));
}

function contentsOf(given: TomlContents, read: ReadDescription): Contents {
  const at = (path: string) => resolve(read.directory, path);
  if ('source' in given) return { kind: 'copy', ...given, source: at(given.source) };
  if ('tar' in given) return { kind: 'tar', source: at(given.tar), target: given.target };
  if ('source-list' in given) {
    const { registration, database } = given;
    const list = at(given['source-list']);
    return {
      kind: 'closure',
      list,
      ...(registration !== undefined && { registration: at(registration) }),
      ...(database !== undefined && { database }),
    };
  }
  if ('directory' in given) {
    const { directory: target, ...ownership } = given;
    return { kind: 'directory', target, ...ownership };
  }
  if ('link' in given) return { kind: 'link', target: given.link, to: given.to };
  return { kind: 'text', ...given };
}

/** `onlyNixStore` of make-disk-image: a file system that is the store, and nothing else. */
function storeAlone(given: TomlContents, read: ReadDescription): Contents {
  const contents = contentsOf(given, read);
  const isBare =
    contents.kind === 'closure' &&
    contents.registration === undefined &&
    contents.database !== true;
  if (isBare && read.values.install === undefined) return { ...contents, target: '/' };
  throw invalid(read, 'only-nix-store: expected a source-list alone, and no [install]');
}

function makeDiskImage(read: ReadDescription, overrides: Overrides, disk: Disk): ImageJob['disk'] {
  const { values, directory } = read;
  const { table = 'efi', bios, root, esp, 'only-nix-store': isStore } = values;
  if (overrides.sectorSize !== undefined && overrides.sectorSize !== 512)
    throw invalid(read, '--sector-size: the tables of make-disk-image have sectors of 512 bytes');
  const file = (path: string) => disk.read(resolve(directory, path), BIOS_LIMIT);
  return {
    kind: 'make-disk-image',
    table,
    bootSize: values['boot-size'] ?? parseBootSize('256M') ?? { end: 0, reserved: 0 },
    rootUuid: values['root-guid'],
    seed: overrides.seed ?? values.seed ?? NO_SEED,
    size: overrides.size ?? values.size ?? 'auto',
    additionalSpace: values['additional-space'] ?? 512 * MIB,
    root: {
      format: root?.format ?? 'ext4',
      label: root?.label ?? (isStore ? 'nix-store' : 'nixos'),
      contents: (root?.contents ?? []).map((each) =>
        isStore ? storeAlone(each, read) : contentsOf(each, read),
      ),
    },
    rootFileSystem: values['root-fs-uuid'] ?? ROOT_FILE_SYSTEM,
    esp: { contents: (esp?.contents ?? []).map((each) => contentsOf(each, read)) },
    deferred: deferredTypes(overrides.deferred, overrides.architecture ?? 'x86-64'),
    bios: bios && { boot: file(bios['boot-code']), core: file(bios.core) },
  };
}

function keyOf(read: ReadDescription, allowInsecureKey: boolean): SignerFiles | undefined {
  const { values, directory } = read;
  const { certificate, 'private-key': privateKey } = values;
  if (certificate === undefined || privateKey === undefined) return undefined;
  return {
    certificate: resolve(directory, certificate),
    privateKey: resolve(directory, privateKey),
    allowInsecureKey,
  };
}
