/** Makes file systems of the tests, in this process or, as somebody else, in another. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { makerOf } from '../../src/filesystem/file-systems.ts';
import { OWN, type Plan, type Request, type Workshop } from '../../src/filesystem/request.ts';
import { xattrReader } from '../../src/filesystem/xattr-source.ts';
import type { PartitionDefinition } from '../../src/image/definition.ts';
import { fillingOf, piecesOf } from '../../src/image/filling.ts';
import { asGuid } from '../../src/image/identity.ts';
import { writeData } from '../../src/image/write-data.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { buildTree } from '../../src/tree/build-tree.ts';
import { type Contents, STEADY } from '../../src/tree/contents.ts';
import { environment } from '../lab/run.ts';

const program = new URL('../support/hash-worker.ts', import.meta.url);

/** What a request is unless a test says otherwise. */
export const PLAIN: Omit<Request, 'tree'> = {
  label: 'root',
  uuid: '01234567-89ab-4def-8123-456789abcdef',
  hashSeed: '11234567-89ab-4def-8123-456789abcdef',
  time: 1,
  spare: 0,
};

/** Returns a workshop with a directory of its own, which disposing of it removes. */
export function aWorkshop(variables = environment()): Workshop & Disposable {
  const scratch = mkdtempSync(join(tmpdir(), 'espalier-workshop-'));
  return {
    disk: nodeDisk(),
    machine: nodeMachine(program),
    environment: variables,
    scratch,
    [Symbol.dispose]: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

/** What came of a file system. */
export interface Outcome {
  readonly plan: Plan;
  readonly size: number;
}

/** Makes a file system of declarations at an offset of a new file. */
export async function makeAt(
  path: string,
  offset: number,
  format: string,
  contents: readonly Contents[],
  settings: Partial<Request> & { readonly size?: number } = {},
  variables = environment(),
): Promise<Outcome> {
  using workshop = aWorkshop(variables);
  return await makeIn(workshop, path, offset, format, contents, settings);
}

/** Makes a file system in a workshop where others may have been made before. */
export async function makeIn(
  workshop: Workshop,
  path: string,
  offset: number,
  format: string,
  contents: readonly Contents[],
  settings: Partial<Request> & { readonly size?: number } = {},
): Promise<Outcome> {
  if (format === 'erofs' && settings.compression === undefined) {
    return plainErofs(workshop, { path, offset }, contents);
  }
  const tree = buildTree(contents, STEADY, workshop.disk, {
    readXattrs: xattrReader(workshop),
  });
  const request: Request = { ...PLAIN, tree, ...settings };
  const maker = makerOf(format);
  const plan = maker.plan(request, workshop);
  using file = workshop.machine.openRaw(path, 'write');
  const given = settings.size ?? plan.size;
  if (given !== undefined) truncateSync(path, offset + given);
  const region = { path, file, offset, size: given };
  const size = await maker.make(request, region, workshop);
  return { plan, size };
}

/** Makes what no program makes: as it comes into an image. */
async function plainErofs(
  workshop: Workshop,
  { path, offset }: { readonly path: string; readonly offset: number },
  contents: readonly Contents[],
): Promise<Outcome> {
  const settings = { tree: STEADY, time: PLAIN.time, workshop, warn: () => undefined };
  const identity = { uuid: asGuid(PLAIN.uuid), label: PLAIN.label, spare: 0 };
  const definition = { ...PARTITION, format: 'erofs', contents };
  const filling = await fillingOf(definition, identity, settings);
  using image = workshop.machine.openRaw(path, 'write');
  image.cut(offset + filling.size);
  const place = { offset, size: filling.size, padding: 0 };
  await writeData(piecesOf(filling, workshop.disk), place, { image, wrote: () => undefined });
  return { plan: { size: filling.size, place: 'in-place', by: OWN }, size: filling.size };
}

const PARTITION: PartitionDefinition = {
  ...{ name: 'a partition', dropIns: [], type: asGuid('0fc63daf-8483-4772-8e79-3d69d8477de4') },
  ...{ contents: [], size: { weight: 0 }, padding: { weight: 0 }, isMinimal: false },
  ...{ attributes: 0n, splitName: undefined },
};

if (process.argv[1] === import.meta.filename) {
  const [path = '', format = '', source = ''] = process.argv.slice(2);
  await makeAt(path, 0, format, [{ kind: 'copy', source, target: '/' }]);
}
