/** `image inspect`: shows what a disk image holds, and what would boot from it. */
import * as v from 'valibot';
import type { Context } from '../context.ts';
import { EXIT_FAILED, EXIT_WARNINGS } from '../error.ts';
import type { InspectedEsp } from '../image/inspect-esp.ts';
import { type InspectedImage, inspectImage } from '../image/inspect-image.ts';
import type { InspectedPair } from '../image/inspect-verity.ts';
import { openImage } from '../image/opened-image.ts';
import { partsOf, type Text } from '../process/styled-text.ts';
import { formatSize } from '../quantity.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { flag } from '../settings/value-schemas.ts';
import { joined } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import { formatTable } from '../terminal/table.ts';

const VERB = 'image inspect';

const schema = v.strictObject({ deep: v.optional(flag, false) });

/**
 * Looks into an image. The status says whether its hash trees fit, and what would boot fits them.
 * @throws {DISK_IMAGE_MALFORMED} {GPT_MALFORMED} when the image is damaged
 */
export async function imageInspect(
  { operands: [image = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { deep } = readFlags(schema, flags, VERB);
  using opened = await openImage(image, context);
  const found = await inspectImage(image, opened, deep);
  context.print(
    json
      ? JSON.stringify({ version: 1, verb: VERB, image, ...found }, undefined, 2)
      : render(image, found),
  );
  if (found.verity.some(({ problem }) => problem !== undefined)) return EXIT_FAILED;
  if (found.esps.some(({ problems }) => problems.length > 0)) return EXIT_FAILED;
  return found.problems.length > 0 ? EXIT_WARNINGS : 0;
}

function render(image: string, found: InspectedImage): Text {
  const { format, size, fileSize, table, partitions, fileSystem, verity, esps, problems } = found;
  const kind = {
    gpt: `GPT ${table.uuid}`,
    dos: 'MBR',
    none: fileSystem?.type ?? 'no partition table',
  };
  const rows = partitions.map((partition) => [
    `${partition.number}`,
    printable(partition.type),
    formatSize(partition.size),
    partition.fileSystem?.type ?? '-',
    printable(partition.name || partition.fileSystem?.label || '-'),
    partition.uuid,
  ]);
  const lines: readonly Text[] = [
    `${image}: ${format}, a disk of ${formatSize(size)} in ${formatSize(fileSize)}, ${kind[table.kind]}`,
    ...(rows.length > 0 ? [formatTable(['', 'TYPE', 'SIZE', 'HOLDS', 'NAME', 'UUID'], rows)] : []),
    ...problems.map(problemLine),
    ...verity.map(renderPair),
    ...esps.flatMap(renderEsp),
  ];
  return joined(lines, '\n');
}

function problemLine(problem: string): Text {
  return [{ text: 'problem', meaning: 'bad' }, `: ${printable(problem)}`];
}

function renderPair({ designator, hash, data, rootHash, isDeep, problem }: InspectedPair): Text {
  const of = data === undefined ? '' : ` of partition ${data}`;
  const looked = isDeep ? 'every block is as it was made' : 'the top of the tree fits';
  const end = problem === undefined ? `${rootHash}, ${looked}` : problemLine(problem);
  return [`verity, ${designator}: partition ${hash}${of}: `, ...partsOf(end)];
}

function renderEsp({
  partition,
  entries,
  boots,
  loaders,
  problems,
}: InspectedEsp): readonly Text[] {
  const next = (text: string): Text => ({ text, meaning: 'heading' });
  const rows = entries.map((entry) => [
    entry.default ? next('>') : '',
    entry.default ? next(printable(entry.title ?? entry.id)) : printable(entry.title ?? entry.id),
    formatSize(entry.size),
    printable(entry.id),
  ]);
  return [
    [
      `ESP${partition === undefined ? '' : `, partition ${partition}`}: boots `,
      boots === undefined ? { text: 'nothing', meaning: 'bad' } : printable(boots),
    ],
    ...loaders.map(
      ({ path, product }) =>
        `loader: ${printable(path)}${product === undefined ? '' : ` (${printable(product)})`}`,
    ),
    ...(rows.length > 0 ? [formatTable(['', 'TITLE', 'SIZE', 'ENTRY'], rows)] : []),
    ...problems.map(problemLine),
  ];
}
