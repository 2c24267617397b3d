/** A scenario on a disk image: our own writes, cut off at each of them, and judged as the kernel's are. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { fatDisk } from '../../src/disk/fat-disk.ts';
import { EspError } from '../../src/error.ts';
import { formatFat } from '../../src/fat/format.ts';
import type { RawFile } from '../../src/process/machine.ts';
import { MAIN } from '../command/a-machine.ts';
import { openFat } from '../fat/a-fat.ts';
import { memoryRegion } from '../fat/a-region.ts';
import { usedBy } from '../support/used-by.ts';
import type { Figures } from './case.ts';
import { checkImage, isFragment } from './fsck.ts';
import { type Finding, type Judgement, judgeTree } from './judge.ts';
import type { Effort } from './moments.ts';
import { randomOf } from './random.ts';
import { DONE } from './recording.ts';
import { epochsOf, replay } from './replay.ts';
import type { Scenario } from './scenario.ts';
import { ImageReader, readImage, type Tree } from './tree.ts';
import { Truth, type Window } from './truth.ts';
import type { World } from './world.ts';
import type { DiskRequest } from './write-log.ts';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** No smaller one is an ESP. */
const SMALLEST = 33 * MIB;

/** Runs a scenario onto an image in `folder`, and judges every moment of it. */
export async function runImageCase(
  scenario: Scenario,
  world: World,
  folder: string,
  effort: Effort,
): Promise<Figures> {
  const start = performance.now();
  const at = (name: string): string => join(folder, `${scenario.name}.${name}`);
  const [before, after, state] = [at('before'), at('after'), at('state')];
  await makeImage(before, scenario, world);
  copyFileSync(before, after);
  const requests = await runOnto(after, scenario, world);
  const truth = new Truth(
    world,
    readImage(before, at('before.tree')),
    readImage(after, at('after.tree')),
  );
  const court = new Court(scenario, world, truth, folder);
  const epochs = epochsOf(requests);
  const random = randomOf(effort.seed, scenario.name);
  const counts = { prefix: 0, reordering: 0 };
  const findings: (Finding & { cut: string })[] = [];
  const windows: Partial<Record<Window, number>> = {};
  for (const { name, kind, disk } of replay(before, state, epochs, { ...effort, random })) {
    counts[kind]++;
    const judgement = await court.judge(state, disk);
    findings.push(...judgement.findings.map((finding) => ({ ...finding, cut: name })));
    for (const window of new Set(judgement.windows)) windows[window] = (windows[window] ?? 0) + 1;
  }
  return {
    scenario: `${scenario.name}, onto an image`,
    ...{ writes: epochs.flat().length, epochs: epochs.length, findings, windows },
    ...{ prefixes: counts.prefix, reorderings: counts.reordering },
    ...{ states: court.states, boots: 0, guests: 0 },
    seconds: (performance.now() - start) / 1000,
  };
}

/** Makes the image of a scenario's ESP, with our own FAT: what lies in it is the world's. */
async function makeImage(image: string, scenario: Scenario, world: World): Promise<void> {
  const held = world.files().reduce((sum, path) => sum + world.sizeOf(path), 0);
  const size = Math.max(SMALLEST, Math.ceil((1.1 * held + 4 * MIB) / MIB) * MIB);
  const memory = new Uint8Array(size);
  const region = memoryRegion(memory);
  formatFat({ region, volumeId: 1, epoch: 0 });
  const file = () => ({ device: 0, inode: 0, uid: 0, mode: 0 });
  const manner = { access: 'write', epoch: 0, durable: false } as const;
  const { disk } = fatDisk({ region, root: '/esp', file, ...manner });
  const put = async (path: string, content: Uint8Array): Promise<void> => {
    disk.makeDirectory(`/esp/${path.split('/').slice(0, -1).join('/')}`);
    const made = await disk.create(`/esp/${path}`);
    await made.write(content);
    await made.finish();
  };
  for (const path of world.files()) await put(path, readFileSync(join(world.esp, path)));
  const free = disk.fileSystem('/esp')?.free ?? 0;
  const wanted = scenario.free?.(world);
  // A foreign file takes up the rest; its directory is one cluster.
  if (wanted !== undefined)
    await put('firmware/update.cap', new Uint8Array(free - wanted - SECTOR));
  disk.syncDirectory('/esp');
  writeFileSync(image, memory);
}

/** Runs the scenario's action on an image, and returns what it asked of the file. */
async function runOnto(image: string, scenario: Scenario, world: World): Promise<DiskRequest[]> {
  const requests: DiskRequest[] = [];
  const real = processContext(pathToFileURL(MAIN));
  const openRaw: typeof real.machine.openRaw = (path, use) =>
    logged(real.machine.openRaw(path, use), requests);
  const machine = { ...real.machine, openRaw };
  const status = await runHere(scenario, world, image, { ...real, machine });
  assert.ok(DONE.includes(status), `${scenario.name} ended with ${status}`);
  return requests;
}

async function runHere(
  { action }: Pick<Scenario, 'action'>,
  world: World,
  image: string,
  context: ReturnType<typeof processContext>,
): Promise<number> {
  const args = [...usedBy([...action(world), '--esp', image]), '--quiet'];
  return run(args, '0.0.0', { ...context, print: () => {} });
}

/** Logs whole sectors: a disk has no others. */
function logged(file: RawFile, requests: DiskRequest[]): RawFile {
  return {
    ...file,
    writeAt(offset, bytes) {
      file.writeAt(offset, bytes);
      const first = offset - (offset % SECTOR);
      const end = Math.ceil((offset + bytes.length) / SECTOR) * SECTOR;
      const data = Uint8Array.from(file.read(first, end - first));
      requests.push({ kind: 'write', offset: first, data, isForced: false });
    },
    sync() {
      file.sync();
      requests.push({ kind: 'flush' });
    },
  };
}

/** Returns what is wrong with a FAT by our own reader, which is stricter than fsck.fat; mostly nothing. */
function faultOf(bytes: Uint8Array): string {
  try {
    openFat(bytes);
    return '';
  } catch (error) {
    if (error instanceof EspError) return error.message;
    throw error;
  }
}

/** What fsck.fat tells of clusters that nothing leads to, and of copies of a table that differ. */
const HARMLESS = [
  /^Reclaimed N unused cluster/,
  /^FATs differ/,
  /^Using first FAT/,
  /^Leaving (FATs|file system)/,
];

/** Judges images; what it has seen already it does not run again. */
class Court {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #truth: Truth;
  readonly #folder: string;
  readonly #reader = new ImageReader();
  readonly #faults = new Map<string, string>();
  readonly #judged = new Map<string, Judgement>();

  constructor(scenario: Scenario, world: World, truth: Truth, folder: string) {
    this.#scenario = scenario;
    this.#world = world;
    this.#truth = truth;
    this.#folder = folder;
  }

  /** How many different states it has judged. */
  get states(): number {
    return this.#judged.size;
  }

  async judge(image: string, disk: Parameters<ImageReader['read']>[0]): Promise<Judgement> {
    const { tree, structure, isHiding } = this.#reader.read(disk);
    const fault = this.#faults.get(structure) ?? faultOf(disk.bytes);
    this.#faults.set(structure, fault);
    const key = `${tree.identity} ${fault} ${isHiding}`;
    const judgement = this.#judged.get(key) ?? (await this.#judge(image, tree, isHiding));
    this.#judged.set(key, judgement);
    if (fault === '') return judgement;
    const findings = [...judgement.findings, { clause: 'file-system' as const, what: fault }];
    return { ...judgement, findings };
  }

  async #judge(image: string, tree: Tree, isHiding: boolean): Promise<Judgement> {
    const { findings, windows } = judgeTree(tree, this.#truth);
    const { complaints } = checkImage(image);
    const grave = complaints.filter(
      (line) => !isFragment(line) && !HARMLESS.some((pattern) => pattern.test(line)),
    );
    return {
      findings: [
        ...findings,
        ...(grave.length > 0 ? [{ clause: 'file-system' as const, what: grave.join('; ') }] : []),
        ...(isHiding ? [{ clause: 'file-system' as const, what: 'it hides names' }] : []),
        ...(await this.#rerun(image, tree)),
      ],
      windows,
    };
  }

  /** The next run opens the image, and brings it to where the uninterrupted run ended. */
  async #rerun(image: string, tree: Tree): Promise<Finding[]> {
    const broken = (what: string): Finding[] => [{ clause: 'convergence', what }];
    const copy = join(this.#folder, 'rerun.img');
    copyFileSync(image, copy);
    try {
      const context = processContext(pathToFileURL(MAIN));
      const status = await runHere(this.#scenario, this.#world, copy, context);
      if (!DONE.includes(status)) return broken(`the next run ended with ${status}`);
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      return broken(`the next run: ${error.message}`);
    }
    const { different } = this.#truth.endOf(readImage(copy, `${copy}.tree`), tree);
    return different.length > 0 ? broken(`after it differ: ${different.join(', ')}`) : [];
  }
}
