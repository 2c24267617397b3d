/**
 * Each partition of an image in a file of its own, named as systemd-repart names it (repart.d(5)
 * `SplitName=`), and each UKI under the name that it has on the ESP: what systemd-sysupdate takes.
 */
import { basename, dirname, join } from 'node:path';
import type { Context } from '../context.ts';
import { Images } from '../disk/images.ts';
import { EspError } from '../error.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import { expandSpecifiers } from './definition-values.ts';
import { rangeOf } from './filling.ts';
import type { Place } from './layout.ts';
import { placeOutput, requireOutput, type Workshop } from './output.ts';
import type { MadePartition } from './repart-rows.ts';
import { writeData } from './write-data.ts';

/** What an image is split into, and how. */
export interface Splitting {
  /** The image, as somebody wrote it: the files are told beside it. */
  readonly image: string;
  /** The directory that it lies in. */
  readonly directory: string;
  /** UKIs in it: the number of the partition, and the path there. */
  readonly ukis: readonly { readonly partition: number; readonly path: string }[];
  readonly isForced: boolean;
}

/**
 * Returns the partitions with the paths of their files, beside the image. Nothing is written yet.
 * @throws {CONFIG_INVALID} when two would have one name
 * @throws {IMAGE_EXISTS} when one is there, and it may not be replaced
 */
export function splitFor(
  made: readonly MadePartition[],
  splitting: Splitting,
  { disk }: Workshop,
): readonly MadePartition[] {
  const { image, directory, ukis, isForced } = splitting;
  const split = withSplitPaths(made, image);
  const names = [
    ...split.map(({ splitPath }) => splitPath),
    ...ukis.map(({ path }) => path),
  ].flatMap((path) => (path === undefined ? [] : [basename(path)]));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new EspError('CONFIG_INVALID', `${image}: two files of it would be split to ${twice}`, {
      hint: 'give one of them another name: SplitName=, split-name, or path of a UKI',
    });
  }
  for (const name of names) requireOutput(join(directory, name), { needed: 0, isForced }, disk);
  return split;
}

function withSplitPaths(made: readonly MadePartition[], image: string): readonly MadePartition[] {
  const stem = basename(image).replace(/\.raw$/, '');
  return made.map((partition, index): MadePartition => {
    const name = splitName(partition, index + 1);
    if (name === undefined) return partition;
    const file = `${stem}.${name}.raw`;
    return { ...partition, splitPath: image.includes('/') ? join(dirname(image), file) : file };
  });
}

function splitName({ definition, uuid }: MadePartition, number: number): string | undefined {
  const { splitName: pattern, type, name } = definition;
  if (pattern === undefined) return undefined;
  const expanded = expandSpecifiers(pattern, {
    t: partitionTypeName(type),
    T: type.replaceAll('-', ''),
    U: uuid.replaceAll('-', ''),
    n: `${number - 1}`,
  });
  if ('text' in expanded && !expanded.text.includes('/')) return expanded.text;
  const what = 'text' in expanded ? expanded.text : expanded.unknown;
  throw new EspError('CONFIG_INVALID', `${name}: SplitName=: ${what} is no part of a file’s name`);
}

/** Writes these files, from the image under the path that it has meanwhile. */
export async function splitImage(
  made: readonly MadePartition[],
  raw: string,
  { directory, ukis }: Splitting,
  context: Context,
): Promise<void> {
  using source = context.disk.open(raw);
  for (const { splitPath, place } of made) {
    if (splitPath === undefined) continue;
    await placeOutput(join(directory, basename(splitPath)), place.size, context, (file) =>
      writeData(rangeOf(source, place, raw), wholly(place.size), { image: file, wrote }),
    );
  }
  using images = new Images(context);
  for (const { partition, path } of ukis) {
    const { root, disk } = images.open(`${raw}#${partition}`, 'read');
    using content = disk.open(`${root}${path}`);
    const pieces = rangeOf(content, wholly(content.size), path);
    await placeOutput(join(directory, basename(path)), content.size, context, (file) =>
      writeData(pieces, wholly(content.size), { image: file, wrote }),
    );
  }
}

const wholly = (size: number): Place => ({ offset: 0, size, padding: 0 });
const wrote = (): void => undefined;
