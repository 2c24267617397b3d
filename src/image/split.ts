/** Each partition of an image in a file of its own, named as systemd-repart names it (repart.d(5) `SplitName=`). */
import { basename, dirname, join, resolve } from 'node:path';
import { EspError } from '../error.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import { expandSpecifiers } from './definition-values.ts';
import { rangeOf } from './filling.ts';
import { placeOutput, requireOutput, type Workshop } from './output.ts';
import type { MadePartition } from './repart-rows.ts';
import { writeData } from './write-data.ts';

/**
 * Returns the partitions with the paths of their files, beside the image. Nothing is written yet.
 * @throws {CONFIG_INVALID} when two would have one name
 * @throws {IMAGE_EXISTS} when one is there, and it may not be replaced
 */
export function splitFor(
  made: readonly MadePartition[],
  image: string,
  isForced: boolean,
  { disk }: Workshop,
): readonly MadePartition[] {
  const split = withSplitPaths(made, image);
  for (const { splitPath } of split) {
    if (splitPath === undefined) continue;
    requireOutput(resolve(splitPath), { needed: 0, isForced }, disk);
  }
  return split;
}

function withSplitPaths(made: readonly MadePartition[], image: string): readonly MadePartition[] {
  const stem = basename(image).replace(/\.raw$/, '');
  const named = made.map((partition, index): MadePartition => {
    const name = splitName(partition, index + 1);
    if (name === undefined) return partition;
    const directory = dirname(image);
    const file = `${stem}.${name}.raw`;
    return { ...partition, splitPath: image.includes('/') ? join(directory, file) : file };
  });
  for (const [index, { splitPath, definition }] of named.entries()) {
    const other = named.slice(0, index).find((before) => before.splitPath === splitPath);
    if (splitPath === undefined || other === undefined) continue;
    throw new EspError(
      'CONFIG_INVALID',
      `${other.definition.name} and ${definition.name}: both would be split to ${splitPath}`,
      { hint: 'give one of them another SplitName=, or - for none' },
    );
  }
  return named;
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

/** Writes these files. */
export async function splitImage(
  made: readonly MadePartition[],
  image: string,
  workshop: Workshop,
): Promise<void> {
  using source = workshop.disk.open(image);
  for (const { splitPath, place } of made) {
    if (splitPath === undefined) continue;
    await placeOutput(resolve(splitPath), place.size, workshop, (file) =>
      writeData(
        rangeOf(source, place, image),
        { offset: 0, size: place.size, padding: 0 },
        { image: file, wrote: () => undefined },
      ),
    );
  }
}
