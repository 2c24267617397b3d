/** How a person names an ESP in a disk image: the file, or a partition or an offset in it. */
import type { Disk } from './disk.ts';

/** An ESP in a file. Without a part, it is found by its type. */
export interface ImagePlace {
  readonly file: string;
  readonly part?: { readonly number: number } | { readonly offset: number };
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/**
 * Returns the place that a path names: `FILE`, `FILE#2` or `FILE@1M`. Undefined when the path leads
 * elsewhere, as to a directory.
 */
export function imagePlace(path: string, disk: Pick<Disk, 'stat'>): ImagePlace | undefined {
  const found = disk.stat(path);
  if (found !== undefined) return found.kind === 'file' ? { file: path } : undefined;
  const [, file = '', number, offset, factor = ''] = SPELLED.exec(path) ?? [];
  if (file === '' || disk.stat(file)?.kind !== 'file') return undefined;
  if (number !== undefined) return { file, part: { number: Number(number) } };
  return { file, part: { offset: Number(offset) * (FACTORS[factor] ?? 1) } };
}

const SPELLED = /^(.+)(?:#(\d{1,3})|@(\d{1,12})([KMG]?))$/;

/** The type of an ESP in a GPT (UEFI §5.3.3) and in an MBR (§5.2.2), in the words of udev. */
export const ESP_TYPES: Readonly<Record<string, string>> = {
  gpt: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  dos: '0xef',
};
