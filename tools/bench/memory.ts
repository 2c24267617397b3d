/** Whether memory stays the same however large the files are. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { espalier, type Format, ownKeys } from './installer.ts';
import { aMachine } from './machine.ts';
import { watch } from './process.ts';
import { formatMib, MIB } from './statistics.ts';
import { site, type Workshop } from './workload.ts';

/** Peak memory of one format, in bytes, for each of {@link INITRD_SIZES}. */
export interface MemoryFigure {
  readonly format: Format;
  readonly peaks: readonly number[];
  readonly reached: boolean;
}

const FORMATS: readonly Format[] = ['type1', 'uki', 'shared'];

/** All worth a second thread, which takes some memory of its own whatever it hashes. */
const INITRD_SIZES = [64 * MIB, 128 * MIB, 256 * MIB];

/** What no run may take, and by how much sizes may matter: the heap grows a little before it is swept. Bytes. */
export const MOST_MEMORY = 130 * MIB;
const FLAT = 16 * MIB;

/** Measures fresh installs of three generations with initrds of 64, 128 and 256 MiB, and signed images of them. */
export async function measureMemory({ work, bundle }: Workshop): Promise<MemoryFigure[]> {
  const peaks: Record<Format, number[]> = { type1: [], uki: [], shared: [] };
  for (const initrdSize of INITRD_SIZES) {
    const root = join(work, 'f');
    const machine = aMachine(root, { generations: 3, kernels: 3, initrds: 3, initrdSize });
    for (const format of FORMATS) {
      const installer = espalier(bundle, format, format === 'type1' ? undefined : ownKeys);
      const { peak } = await watch([installer.install(machine, site(root, format))]);
      peaks[format].push(peak);
    }
    rmSync(root, { recursive: true });
  }
  return FORMATS.map((format) => {
    const largest = Math.max(...peaks[format]);
    const reached = largest < MOST_MEMORY && largest - Math.min(...peaks[format]) < FLAT;
    return { format, peaks: peaks[format], reached };
  });
}

export function formatMemory(figures: readonly MemoryFigure[]): string {
  const sizes = INITRD_SIZES.map(formatMib).join(', ');
  const rows = figures.map(({ format, peaks, reached }) => {
    const shown = peaks.map(formatMib).join(', ');
    return `  ${format.padEnd(6)} ${shown} MiB: ${reached ? 'reached' : 'NOT REACHED'}`;
  });
  return [
    `(f) peak memory with three initrds of ${sizes} MiB each; target: below ${formatMib(MOST_MEMORY)} MiB, and flat`,
    ...rows,
  ].join('\n');
}
