/** What each key of a description is used for. One that would do nothing is refused: whoever wrote it meant something. */
import { partitionTypeGuid, partitionTypeName } from '../gpt/partition-type.ts';
import { invalid, type ReadDescription } from './toml-description.ts';
import type { TomlContents, TomlDescription, TomlPartition, TomlUki } from './toml-schema.ts';

/** Returns why a key does nothing; undefined where it does something. */
type Use<Values> = (values: Values, description: TomlDescription) => string | undefined;

/** Every key has its use: the compiler misses one that has none. */
type Uses<Values> = { readonly [Key in keyof Values]-?: Use<Values> };

const always = () => undefined;
const unless =
  <Values>(isUsed: (values: Values, all: TomlDescription) => boolean, why: string): Use<Values> =>
  (values, all) =>
    isUsed(values, all) ? undefined : why;

const withTable = (why: string) =>
  unless<TomlDescription>(({ table }) => table !== undefined, `it is for table${why}`);
const withEsp = unless<TomlDescription>(
  ({ table }) => table === 'efi' || table === 'hybrid',
  'it is for the tables efi and hybrid, which have an ESP',
);
const hasLoader = ({ esp, partition = [] }: TomlDescription) =>
  esp?.loader === true || partition.some(({ loader }) => loader === true);

const OF_DESCRIPTION: Uses<TomlDescription> = {
  output: always,
  format: always,
  seed: always,
  size: always,
  'sector-size': unless(
    ({ table }) => table === undefined,
    'the tables of make-disk-image have sectors of 512 bytes',
  ),
  architecture: always,
  'source-date-epoch': always,
  split: always,
  certificate: unless((all) => all['private-key'] !== undefined, 'there is no private-key'),
  'private-key': unless((all) => all.certificate !== undefined, 'there is no certificate'),
  'allow-insecure-key': always,
  systemd: unless(hasLoader, 'the boot loader is taken from it, and no loader = true asks for one'),
  partition: unless(({ table }) => table === undefined, 'there is a table: give one of the two'),
  table: always,
  'only-nix-store': withTable(''),
  'additional-space': (all) =>
    withTable('')(all, all) ??
    ((all.size ?? 'auto') === 'auto' ? undefined : 'size says how large the disk is'),
  'boot-size': withEsp,
  'root-guid': unless(
    ({ table = 'none' }) => table !== 'none' && table !== 'legacy',
    'it is for the tables with a GPT: legacy+gpt, efi and hybrid',
  ),
  'root-fs-uuid': (all) =>
    withTable('')(all, all) ??
    (all.root?.format === 'squashfs' ? 'squashfs has no UUID' : undefined),
  root: withTable(''),
  esp: withEsp,
  bios: unless(
    ({ table = 'efi' }) => ['legacy', 'legacy+gpt', 'hybrid'].includes(table),
    'it is for the tables legacy, legacy+gpt and hybrid',
  ),
  install: unless(
    ({ table, partition = [] }) =>
      table === undefined
        ? partition.some((each) => isEsp(each))
        : table === 'efi' || table === 'hybrid',
    'there is no ESP to install onto',
  ),
  'efi-variables': always,
};

/** Returns what a partition is for. The architecture is in no name of the types of loaders. */
export function typeOf({ type }: TomlPartition): string {
  return partitionTypeName(partitionTypeGuid(type, 'x86-64') ?? type);
}
const isEsp = (given: TomlPartition): boolean => typeOf(given) === 'esp';

/** What is put in by name goes to the first ESP. */
const onFirstEsp = unless<TomlPartition>(
  (given, { partition = [] }) => given === partition.find(isEsp),
  'it is for the first ESP',
);
const isExact = ({ size }: TomlPartition) => size !== undefined && size !== 'auto';
const unlessExact = unless<TomlPartition>((given) => !isExact(given), 'size says it');
const hasTree = ({ verity, 'verity-hash': behind }: TomlPartition) =>
  verity === 'hash' || behind !== undefined;
const ofTree = unless<TomlPartition>(
  hasTree,
  'it is for the partition that has the hash tree: verity = "hash", or verity-hash = "behind"',
);

const OF_PARTITION: Uses<TomlPartition> = {
  id: always,
  type: always,
  label: always,
  uuid: always,
  size: unless(({ verity }) => verity !== 'signature', 'a signature takes 16 KiB'),
  'min-size': unlessExact,
  'max-size': unlessExact,
  weight: unlessExact,
  padding: always,
  format: unless(
    ({ verity }) => verity !== 'hash' && verity !== 'signature',
    'a hash tree and a signature are no file systems',
  ),
  compression: unless(
    ({ format }) => format === 'erofs' || format === 'squashfs',
    'it is for erofs and squashfs',
  ),
  'compression-level': unless(
    ({ compression }) => compression !== undefined,
    'there is no compression',
  ),
  contents: unless(
    ({ format, type, verity, contents }) =>
      contents.length === 0 || ![format, type, verity].some((one) => HOLDS_NOTHING.includes(one)),
    'such a partition holds no files',
  ),
  'copy-blocks': unless(
    ({ verity }) => verity !== 'hash' && verity !== 'signature',
    'a hash tree and a signature are made',
  ),
  verity: always,
  match: unless(({ verity }) => verity !== undefined, 'there is no verity'),
  'verity-hash': unless(({ verity }) => verity === 'data', 'it is for verity = "data"'),
  'data-blocks': ofTree,
  'data-block-size': ofTree,
  'hash-block-size': ofTree,
  minimal: unless(({ verity }) => verity === 'hash', 'it is for verity = "hash"'),
  'read-only': always,
  'no-auto': always,
  grow: always,
  'in-mbr': always,
  'split-name': always,
  uki: unless(
    (given, { partition = [] }) =>
      given === partition.find(isEsp) ||
      given === partition.find((one) => typeOf(one) === 'xbootldr'),
    'it is for the first ESP and the first XBOOTLDR partition',
  ),
  loader: onFirstEsp,
  'loader-conf': unless(({ loader }) => loader === true, 'it is for loader = true'),
};

const HOLDS_NOTHING: readonly unknown[] = ['swap', 'hash', 'signature'];

const ofGroup = unless<TomlUki>(({ verity }) => verity !== undefined, 'there is no verity');

const OF_UKI: Uses<TomlUki> = {
  path: always,
  dracut: always,
  verity: always,
  'on-corruption': ofGroup,
  'verity-option': ofGroup,
  'verity-data-device': ofGroup,
  'verity-hash-device': ofGroup,
  'verity-signature': ofGroup,
};

/**
 * Refuses a key that would do nothing, or not what it says.
 * @throws {CONFIG_INVALID} naming it, and why
 */
export function requireUsed(read: ReadDescription): void {
  const { values } = read;
  const { partition = [], esp, root } = values;
  requireAll(OF_DESCRIPTION, values, '', read);
  for (const [index, each] of partition.entries()) {
    const name = `${each.id ?? `partition ${index + 1}`}: `;
    requireAll(OF_PARTITION, each, name, read);
    const usual = ['esp', 'xbootldr'].includes(typeOf(each)) ? 'vfat' : undefined;
    const isFat = (each.format ?? usual) === 'vfat';
    if (isFat) requirePlain(each.contents, name, read);
  }
  if (esp?.['loader-conf'] !== undefined && esp.loader !== true) {
    throw vain('esp.', 'loader-conf', 'it is for loader = true', read);
  }
  requirePlain(esp?.contents ?? [], 'esp.', read);
  if (root?.format === 'vfat') requirePlain(root.contents, 'root.', read);
  for (const each of [esp?.uki ?? [], ...partition.map(({ uki = [] }) => uki)].flat(2)) {
    requireAll(OF_UKI, each, 'uki.', read);
  }
}

function requireAll<Values extends object>(
  uses: Uses<Values>,
  values: Values,
  where: string,
  read: ReadDescription,
): void {
  for (const key of Object.keys(uses) as (keyof Values & string)[]) {
    const why = values[key] === undefined ? undefined : uses[key](values, read.values);
    if (why !== undefined) throw vain(where, key, why, read);
  }
}

/** FAT has neither owners nor modes, and no extended attributes. */
function requirePlain(
  contents: readonly TomlContents[],
  where: string,
  read: ReadDescription,
): void {
  for (const each of contents) {
    const key = (['mode', 'user', 'group', 'xattrs'] as const).find((name) => name in each);
    if (key !== undefined) throw vain(`${where}contents.`, key, 'FAT has none', read);
  }
}

function vain(where: string, key: string, why: string, read: ReadDescription) {
  return invalid(read, `${where}${key}: ${why}`, 'leave it out');
}
