/** Small images of a /usr behind dm-verity, made in a test's own folder. */
import assert from 'node:assert/strict';
import { aWorkbench, type Workbench } from '../command/a-uki.ts';
import { readDocument } from '../support/read-document.ts';

export const SEED = '11111111-2222-4333-8444-555555555555';

/** Lines of a definition of systemd-repart. */
export function define(bench: Workbench, name: string, ...lines: readonly string[]): void {
  bench.put(`defs/${name}.conf`, ['[Partition]', ...lines, ''].join('\n'));
}

/** A folder with a tree, and the definitions of an ESP and of a /usr with its hash tree. */
export function aVerityBench(t: Parameters<typeof aWorkbench>[0]): Workbench {
  const bench = aWorkbench(t);
  bench.put('tree/marker', 'this is /usr\n');
  bench.put('tree/share/large', new Uint8Array(300_000).fill(7));
  define(bench, '00-esp', 'Type=esp', 'Format=vfat', 'SizeMinBytes=34M', 'SizeMaxBytes=34M');
  const group = 'VerityMatchKey=store';
  define(bench, '10-hash', 'Type=usr-verity', 'Verity=hash', group, 'Minimize=best');
  const copied = `CopyFiles=${bench.path('tree')}:/`;
  define(bench, '20-data', 'Type=usr', 'Verity=data', group, 'Format=erofs', copied);
  return bench;
}

/** A row of what `image build --json` prints. */
export interface Row {
  readonly type: string;
  readonly uuid: string;
  readonly offset: number;
  readonly raw_size: number;
  readonly roothash?: string;
  readonly split_path?: string;
}

/** Builds from the definitions of a bench and returns the rows. */
export async function build(
  bench: Workbench,
  output: string,
  ...more: readonly string[]
): Promise<readonly Row[]> {
  const args = ['--definitions', bench.path('defs'), '--seed', SEED, '--json'];
  const ran = await bench.run(['image', 'build', ...args, '--output', bench.path(output), ...more]);
  assert.equal(ran.error, undefined, ran.error?.message);
  assert.equal(ran.status, 0);
  return readDocument<readonly Row[]>('image build', ran.output);
}
