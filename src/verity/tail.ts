/** Data that end within a block: nothing covers what lies behind the last whole one. */

import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import type { Parameters } from './superblock.ts';

/** Returns a warning about the bytes behind the last whole block, if there are fewer than a block of them. */
export function tailWarning(
  data: Pick<ByteSource, 'size'>,
  { dataBlocks, dataBlockSize }: Parameters,
  name: string,
): readonly string[] {
  const tail = data.size - dataBlocks * dataBlockSize;
  if (tail <= 0 || tail >= dataBlockSize) return [];
  return [
    `${name}: its end, ${exactSize(tail)}, is not covered: it is no whole block of ${dataBlockSize} bytes, and anybody can change it unnoticed`,
  ];
}

/** Refuses a tail where that is asked for. @throws {VERITY_MALFORMED} */
export function requireCovered([warning]: readonly string[], isStrict: boolean): void {
  if (warning === undefined || !isStrict) return;
  throw new EspError('VERITY_MALFORMED', warning, {
    hint: 'pad the data to whole blocks, or cover fewer with --data-blocks',
  });
}
