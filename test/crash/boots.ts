/** Whether what must boot at a moment really boots, under real firmware. */
import { join } from 'node:path';
import type { Parts } from '../lab/parts.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import type { Finding } from './judge.ts';
import type { Moment } from './moments.ts';
import { readImage } from './tree.ts';
import { LOADERS, type Truth } from './truth.ts';

/** Seconds; the machine is an emulated one, and others may be at work beside it. */
const PATIENCE = 300;

/** Boots an image, which the machine writes to, and returns what is wrong with what came up. */
export async function bootMoment(
  { starts = '', cut }: Moment,
  image: string,
  truth: Truth,
  parts: Parts,
): Promise<(Finding & { cut: string })[]> {
  placeFallback(image, truth);
  const { proof, ended, console } = await bootImage({ parts, image, limit: PATIENCE });
  const entry = proof?.entry.toLowerCase();
  if (entry === starts) return [];
  const came = entry ?? `nothing (${ended}: ${console.slice(-300).replaceAll('\n', ' ')})`;
  return [{ clause: 'boot', what: `${starts} should start, and ${came} did`, cut }];
}

/**
 * Firmware with empty variables knows the fallback path alone; a machine that was installed has an entry
 * for the other copy too. So where that is the whole one, it takes the place of the fallback.
 */
function placeFallback(image: string, truth: Truth): void {
  const [installed, fallback] = LOADERS;
  const tree = readImage(image, `${image}.tree`);
  if (truth.isWhole(tree, fallback) || !truth.isWhole(tree, installed)) return;
  const copy = ['-i', image, '-o', join(tree.folder, installed), `::/${fallback}`];
  run('mcopy', copy, { env: { MTOOLS_SKIP_CHECK: '1' } });
}
