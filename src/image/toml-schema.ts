/** What a description of an image in TOML may say, key by key. */
import * as v from 'valibot';
import { parseGuid } from '../guid.ts';
import { understood } from '../settings/value-schemas.ts';
import { parseUuid } from '../verity/uuid.ts';
import { parseBytes } from './definition-values.ts';
import { NIXPKGS_TABLES, parseBootSize } from './nixpkgs-table.ts';
import { text, texts, UKI_ENTRIES } from './uki-options.ts';

const path = v.pipe(text, v.nonEmpty('expected a path, got nothing'));
const flag = v.optional(v.boolean('expected true or false'));
const guid = understood(parseGuid, 'a UUID');
const bytes = v.union(
  [
    v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    understood((given) => parseBytes(given.replace(/iB$/, '')), 'a size, as 512MiB'),
  ],
  'expected a size, as 512MiB',
);
const sizeOrAuto = v.union([v.literal('auto'), bytes], 'expected a size, as 4GiB, or auto');
const count = v.pipe(v.number('expected a number'), v.safeInteger(), v.minValue(0));
const absolute = v.pipe(text, v.startsWith('/', 'expected an absolute path of the image'));

const ownership = {
  mode: v.exactOptional(
    understood(
      (given) => (/^[0-7]{3,4}$/.test(given) ? Number.parseInt(given, 8) : undefined),
      'permission bits as octal digits, as "644"',
    ),
  ),
  user: v.exactOptional(text),
  group: v.exactOptional(text),
};

/** One declaration of contents. Which kind it is follows from its first key. */
const contents = v.union(
  [
    v.strictObject({
      source: path,
      target: absolute,
      exclude: v.exactOptional(texts),
      xattrs: v.exactOptional(texts),
      ...ownership,
    }),
    v.strictObject({ tar: path, target: v.optional(absolute, '/') }),
    v.strictObject({
      'source-list': path,
      registration: v.exactOptional(path),
      database: v.exactOptional(v.boolean('expected true or false')),
    }),
    v.strictObject({ directory: absolute, ...ownership }),
    v.strictObject({ link: absolute, to: text }),
    v.strictObject({ text, target: absolute, ...ownership }),
  ],
  'expected source and target, tar, source-list, directory, link and to, or text and target',
);

const uki = v.strictObject({
  ...(UKI_ENTRIES as Record<never, never>),
  path: v.pipe(absolute, v.endsWith('.efi', 'expected a path that ends with .efi')),
  dracut: v.optional(
    v.strictObject({
      kver: v.optional(text),
      install: v.optional(texts),
      add: v.optional(texts),
      'add-drivers': v.optional(texts),
      'force-drivers': v.optional(texts),
      filesystems: v.optional(texts),
    }),
  ),
  verity: v.optional(text),
  'on-corruption': v.optional(
    v.picklist(['ignore', 'restart', 'panic'], 'expected ignore, restart or panic'),
  ),
  'verity-option': v.optional(texts),
  'verity-data-device': v.optional(text),
  'verity-hash-device': v.optional(text),
  'verity-signature': v.optional(text),
});

/** One, or several. What is wrong is told of the one that it is in. */
const ukis = v.lazy(
  (given): v.GenericSchema<unknown, TomlUki | TomlUki[]> =>
    Array.isArray(given) ? v.array(uki) : uki,
);

const partition = v.strictObject({
  id: v.optional(text),
  type: text,
  label: v.optional(text),
  uuid: v.optional(guid),
  size: v.optional(sizeOrAuto),
  'min-size': v.optional(bytes),
  'max-size': v.optional(bytes),
  weight: v.optional(count),
  padding: v.optional(bytes),
  format: v.optional(text),
  compression: v.optional(text),
  'compression-level': v.optional(count),
  contents: v.optional(v.array(contents), []),
  'copy-blocks': v.optional(path),
  verity: v.optional(v.picklist(['data', 'hash', 'signature'], 'expected data, hash or signature')),
  match: v.optional(text),
  'verity-hash': v.optional(v.literal('behind', 'expected behind')),
  'data-blocks': v.optional(
    v.union(
      [v.literal('all'), v.pipe(v.number(), v.safeInteger(), v.minValue(1))],
      'expected a number of blocks, or all',
    ),
  ),
  'data-block-size': v.optional(count),
  'hash-block-size': v.optional(count),
  minimal: flag,
  'read-only': flag,
  'no-auto': flag,
  grow: flag,
  'in-mbr': flag,
  'split-name': v.optional(text),
  /** Of an ESP. */
  uki: v.optional(ukis),
  loader: flag,
  'loader-conf': v.optional(text),
});

export const descriptionSchema = v.strictObject({
  output: v.optional(path),
  format: v.optional(text),
  seed: v.optional(understood(parseUuid, 'a UUID')),
  size: v.optional(sizeOrAuto),
  'sector-size': v.optional(v.picklist([512, 4096], 'expected 512 or 4096')),
  architecture: v.optional(text),
  'source-date-epoch': v.optional(count),
  split: flag,
  certificate: v.optional(path),
  'private-key': v.optional(path),
  'allow-insecure-key': flag,
  systemd: v.optional(path),
  partition: v.optional(v.array(partition)),
  // make-disk-image.nix
  table: v.optional(v.picklist(NIXPKGS_TABLES, `expected ${NIXPKGS_TABLES.join(', ')}`)),
  'only-nix-store': flag,
  'additional-space': v.optional(bytes),
  'boot-size': v.optional(understood(parseBootSize, 'a size, as 256M or 256MiB')),
  'root-guid': v.optional(guid),
  'root-fs-uuid': v.optional(guid),
  root: v.optional(
    v.strictObject({
      format: v.optional(text, 'ext4'),
      label: v.optional(text),
      contents: v.optional(v.array(contents), []),
    }),
  ),
  esp: v.optional(
    v.strictObject({
      contents: v.optional(v.array(contents), []),
      uki: v.optional(ukis),
      loader: flag,
      'loader-conf': v.optional(text),
    }),
  ),
  bios: v.optional(v.strictObject({ 'boot-code': path, core: path })),
  install: v.optional(v.record(v.string(), v.unknown())),
  'efi-variables': v.optional(
    v.strictObject({
      firmware: path,
      output: path,
      keys: v.optional(path),
      microsoft: v.optional(texts, []),
      certificates: v.optional(texts, []),
      dbx: v.optional(path),
      boot: v.optional(texts, []),
    }),
  ),
});

export type TomlDescription = v.InferOutput<typeof descriptionSchema>;
export type TomlPartition = v.InferOutput<typeof partition>;
export type TomlContents = v.InferOutput<typeof contents>;
export type TomlUki = v.InferOutput<typeof uki>;
