/** Machines in memory: profiles, a store and an ESP on one disk, and runs of the real program over them. */
import type { Context } from '../../src/context.ts';
import { hash } from '../../src/digest.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { BOOTSPEC, SPECIALISATIONS } from '../../src/generation/bootspec.ts';
import { lookFor, readEsp } from '../../src/inspection/read-esp.ts';
import { applyAll } from '../../src/pass/pass.ts';
import { decide } from '../../src/plan/decide.ts';
import type { Plan } from '../../src/plan/step.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { survey } from '../../src/survey/survey.ts';
import { openTarget } from '../../src/volumes/volumes.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { watched } from './watched-disk.ts';

/** What may be wrong with a generation. */
export type Breakage = 'no-kernel' | 'no-document' | 'not-a-program';

/** One generation of the system profile. Kernels and initrds are numbers of a small pool. */
export interface WorldGeneration {
  readonly number: number;
  readonly kernel: number;
  readonly initrd: number;
  readonly specialisations: number;
  readonly broken?: Breakage | undefined;
}

/** A machine at the moment of a run. Sizes in bytes. */
export interface World {
  readonly generations: readonly WorldGeneration[];
  /** Number of the profile's current generation. */
  readonly current: number;
  /** Number of the generation that runs, if it still exists. */
  readonly booted?: number | undefined;
  /** The generation that is to boot next; the current one unless told. */
  readonly target?: number | undefined;
  /** The entry that was selected at the last boot. */
  readonly selected?: string | undefined;
  readonly format: 'uki' | 'shared' | 'type1' | 'thin';
  readonly limit: number;
  /** How often a new entry is tried; 0 where entries are not counted. */
  readonly tries: number;
  readonly reserve: number;
  readonly capacity: number;
  readonly clusterSize: number;
  /** The version of the loader that systemd brings. */
  readonly loader: number;
  /** Content of files beside those of generations, by their path on the ESP. */
  readonly extras?: Readonly<Record<string, string>>;
  /** Whether there is an XBOOTLDR partition, as large as the ESP: in use, or left with what it had. */
  readonly xbootldr?: 'used' | 'former' | undefined;
}

/** What lies on an ESP: content by path from its root. Before what is on XBOOTLDR stands {@link SECOND}. */
export type Tree = ReadonlyMap<string, Uint8Array>;

const ESP = '/boot';
const XBOOTLDR = '/xbootldr';
export const SECOND = 'XBOOTLDR:';
const STORE = '/nix/store';
const PROFILES = '/nix/var/nix/profiles';
const SYSTEMD = '/nix/store/systemd/lib/systemd/boot/efi';
const CACHE = '/var/cache/espalier';
const SELECTED =
  '/sys/firmware/efi/efivars/LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

const KERNELS = [900, 2500, 4100].map((size, index) =>
  aPe({
    sections: [
      { name: '.text', bytes: countingBytes(size) },
      { name: '.data', bytes: new Uint8Array(16).fill(index + 1) },
    ],
  }),
);
const INITRD_SIZES = [300, 1500, 5000, 9000];

/** Sizes of the pools that a world draws from. An initrd is made for a kernel: it holds its modules. */
export const POOL = { kernels: KERNELS.length, initrds: INITRD_SIZES.length };

const kernelPath = (kernel: number) => `${STORE}/linux-6.12.${kernel}/bzImage`;
const initrdPath = (kernel: number, initrd: number) =>
  `${STORE}/initrd-${initrd}-linux-6.12.${kernel}/initrd`;

const BROKEN_KERNEL = `${STORE}/not-a-program-6.12/bzImage`;

/** Every file that generations consist of. */
const PAYLOADS: Tree = new Map<string, Uint8Array>([
  ...KERNELS.map((bytes, kernel) => [kernelPath(kernel), bytes] as const),
  ...KERNELS.flatMap((_, kernel) =>
    INITRD_SIZES.map((size, initrd) => {
      const bytes = countingBytes(size).fill(16 * kernel + initrd, 0, 9);
      return [initrdPath(kernel, initrd), bytes] as const;
    }),
  ),
  [BROKEN_KERNEL, new TextEncoder().encode('no program at all')],
]);

/** It knows profiles, and its headers have room for four of them. */
const STUB = aPe({
  sections: [
    { name: '.text', bytes: countingBytes(700), virtualAddress: 0x400 },
    { name: '.sdmagic', bytes: new TextEncoder().encode('#### LoaderInfo: systemd-stub 257 ####') },
  ],
  sizeOfHeaders: 0x400,
});

/** Returns a boot loader that says that it is systemd-boot. */
export function aLoader(version: number): Uint8Array {
  const text = `#### LoaderInfo: systemd-boot ${version} ####`;
  return aPe({
    sections: [
      { name: '.text', bytes: countingBytes(600) },
      { name: '.sdmagic', bytes: new TextEncoder().encode(text) },
    ],
  });
}

/** The path of a generation's system. Another content under the same number is another system. */
function toplevelOf({ number, kernel, initrd, specialisations }: WorldGeneration): string {
  return `${STORE}/${kernel}${initrd}${specialisations}-nixos-system-${number}`;
}

/** How a run goes. */
export interface RunOptions {
  /** The operation at which the power fails. */
  readonly failAt?: number;
  /** What of the unsynced changes survives: see MemoryDisk.crash. */
  readonly seed?: number;
  /** The operation that fails, while the power stays. */
  readonly faultAt?: number;
}

/** What a run did. Sizes in bytes. */
export interface Ran {
  readonly tree: Tree;
  /** Pairs of names that share their clusters, as power lost in a rename leaves them. */
  readonly shared: readonly (readonly [temporary: string, final: string])[];
  readonly plan?: Plan;
  /** Why nothing was done, or not everything. */
  readonly failure?: { readonly code: string; readonly message: string };
  /** How many operations it took on the disk. */
  readonly operations: number;
  readonly free: { readonly before: number; readonly least: number; readonly after: number };
}

/** Runs the program once over a machine with this ESP. */
export async function run(world: World, esp: Tree, options: RunOptions = {}): Promise<Ran> {
  const disk = aDisk(world, esp);
  const free = () => disk.fileSystem(ESP)?.free ?? 0;
  const before = free();
  let least = before;
  const sound = watched(disk, () => {
    least = Math.min(least, free());
  });
  const { faultAt } = options;
  const context = aContext(
    faultAt === undefined ? sound : faultyDisk(sound, faultAt, new EspError('IO', 'bad sector')),
  );
  const started = disk.operations;
  const ended = (): Omit<Ran, 'plan' | 'failure'> => ({
    tree: treeOf(disk),
    shared: sharedNames(disk),
    operations: disk.operations - started,
    free: { before, least, after: free() },
  });
  try {
    const decision = await decided(world, context);
    const { plan, removals, surveyed, at } = decision;
    if ('kind' in plan) return { ...ended(), failure: { code: 'ESP_FULL', message: plan.message } };
    if (options.failAt !== undefined) disk.failPowerAt(options.failAt);
    const { signer, sources } = surveyed;
    await applyAll(plan, removals, { ...at, signer, sources, processId: 7 });
    return { ...ended(), plan };
  } catch (error) {
    if (options.failAt === undefined && error instanceof EspError) {
      return { ...ended(), failure: error };
    }
    if (options.failAt === undefined || !isPowerLoss(error)) throw error;
    disk.crash(options.seed ?? 0);
    return ended();
  }
}

function isPowerLoss(error: unknown): boolean {
  return error instanceof Error && error.name === 'PowerLoss';
}

async function decided(world: World, context: Context) {
  const flags = {
    esp: [ESP],
    systemd: `${STORE}/systemd`,
    stub: `${SYSTEMD}/linuxx64.efi.stub`,
    format: world.format,
    limit: String(world.limit),
    'boot-counting': String(world.tries),
    reserve: String(world.reserve),
    'allow-unsigned': true,
    ...(world.xbootldr && { 'allow-directory': true }),
    ...(world.xbootldr === 'used' && { xbootldr: XBOOTLDR }),
    ...(world.xbootldr === 'former' && { 'former-xbootldr': XBOOTLDR }),
  };
  const settings = await readSettings(flags, {}, context.disk);
  const target = world.generations.find(({ number }) => number === world.target);
  const surveyed = await survey(settings, target && toplevelOf(target), context);
  const at = openTarget(ESP, settings, context);
  const view = await readEsp(at, lookFor(surveyed), context);
  return { ...decide(surveyed, view, 'all'), surveyed, at };
}

function aContext(disk: WritableDisk): Context {
  return {
    disk,
    host: disk,
    machine: nodeMachine(new URL('file:///nowhere')),
    environment: {},
    uid: 0,
    processId: 7,
    now: 0,
    runSecrets: () => Promise.reject(new EspError('INITRD_SECRETS_FAILED', 'there are none')),
    print: () => undefined,
  };
}

function treeOf(disk: MemoryDisk): Tree {
  const below = (root: string, prefix: string) =>
    [...disk.tree(root)].map(
      ([path, content]) => [prefix + path.slice(root.length + 1), content] as const,
    );
  return new Map([...below(ESP, ''), ...below(XBOOTLDR, SECOND)]);
}

/** Where on the disk a path of a tree is. */
function placeIn(path: string): string {
  return path.startsWith(SECOND) ? `${XBOOTLDR}/${path.slice(SECOND.length)}` : `${ESP}/${path}`;
}

function sharedNames(disk: MemoryDisk): [string, string][] {
  const paths = [...treeOf(disk).keys()].sort();
  const inode = (path: string) => disk.stat(placeIn(path))?.inode;
  return paths.flatMap((path) =>
    paths
      .filter((other) => other > path && inode(other) === inode(path))
      .map((other): [string, string] => [path, other]),
  );
}

function aDisk(world: World, esp: Tree): MemoryDisk {
  const { capacity, clusterSize } = world;
  const second = world.xbootldr && XBOOTLDR;
  // With a second FAT power fails at every single operation: there are enough of them.
  const directorySizes = second === undefined;
  const disk = new MemoryDisk({ mount: ESP, second, capacity, clusterSize, directorySizes });
  disk.plant('/proc/self/mountinfo', `1 0 8:1 / ${ESP} rw - vfat /dev/sda1 rw\n`);
  for (const [path, content] of esp) disk.plant(placeIn(path), content);
  for (const [path, content] of PAYLOADS) disk.plant(path, content);
  disk.plant(`${SYSTEMD}/systemd-bootx64.efi`, aLoader(world.loader));
  declare(disk, world.extras);
  disk.plant(`${SYSTEMD}/linuxx64.efi.stub`, STUB);
  for (const generation of world.generations) plantGeneration(disk, generation);
  disk.plant(`${PROFILES}/system`, { link: `system-${world.current}-link` });
  const booted = world.generations.find(({ number }) => number === world.booted);
  if (booted) disk.plant('/run/booted-system', { link: toplevelOf(booted) });
  if (world.selected !== undefined) disk.plant(SELECTED, variable(world.selected));
  plantDigests(disk, extraSources(world.extras));
  plantSystems(disk, esp);
  return disk;
}

function plantGeneration(disk: MemoryDisk, generation: WorldGeneration): void {
  const { number, broken } = generation;
  const toplevel = toplevelOf(generation);
  disk.plant(`${PROFILES}/system-${number}-link`, { link: toplevel });
  const names = Array.from({ length: generation.specialisations }, (_, index) => `s${index}`);
  const children = names.map((name) => [
    name,
    document(disk, generation, `${toplevel}-${name}`, name),
  ]);
  const own = document(disk, generation, toplevel);
  const text = JSON.stringify({ ...own, [SPECIALISATIONS]: Object.fromEntries(children) });
  disk.plant(`${toplevel}/boot.json`, broken === 'no-document' ? text.slice(0, -9) : text);
}

function document(disk: MemoryDisk, generation: WorldGeneration, toplevel: string, name = '') {
  const { kernel, initrd, broken } = generation;
  disk.plant(`${toplevel}/init`, '#!/bin/sh\n');
  const kernels: Partial<Record<Breakage, string>> = {
    'no-kernel': `${STORE}/gone/bzImage`,
    'not-a-program': BROKEN_KERNEL,
  };
  return {
    [BOOTSPEC]: {
      system: 'x86_64-linux',
      init: `${toplevel}/init`,
      kernel: (broken && kernels[broken]) ?? kernelPath(kernel),
      initrd: initrdPath(kernel, initrd),
      kernelParams: ['quiet', `name=${name}`],
      label: 'NixOS',
      toplevel,
    },
  };
}

/** Writes a configuration that wants these files: entries as text, others from a source. */
function declare(disk: MemoryDisk, extras: World['extras'] = {}): void {
  const entries = Object.entries(extras).filter(([path]) => path.startsWith(ENTRY));
  const files = extraSources(extras);
  for (const [path, content] of files) disk.plant(path, content);
  const line = (name: string, value: string) =>
    `${JSON.stringify(name)} = ${JSON.stringify(value)}`;
  const lines = [
    '[extra-entries]',
    ...entries.map(([path, text]) => line(path.slice(ENTRY.length), text)),
    '[extra-files]',
    ...[...files.keys()].map((path) => line(path.slice(EXTRAS.length), path)),
  ];
  disk.plant('/etc/espalier.toml', lines.join('\n'));
}

const ENTRY = 'loader/entries/';
const EXTRAS = `${STORE}/extra/`;

/** The content of extra files that are no entries, by the path of its source. */
function extraSources(extras: World['extras'] = {}): Tree {
  const files = Object.entries(extras).filter(([path]) => !path.startsWith(ENTRY));
  return new Map(
    files.map(([path, text]) => [`${EXTRAS}${path}`, new TextEncoder().encode(text)] as const),
  );
}

/** Digests are remembered already: taking them anew would need real files. */
function plantDigests(disk: MemoryDisk, extras: Tree): void {
  const rows = [...PAYLOADS, ...extras].map(([path, bytes]) => {
    const stat = disk.stat(path);
    const { device, inode, size, modified, changed } = stat ?? {};
    const keys = path === BROKEN_KERNEL ? ['file'] : ['file', 'efi-application-8664'];
    return keys.map((key) => [...[key, path, device, inode, size, modified, changed], hash(bytes)]);
  });
  disk.plant(`${CACHE}/digests.json`, JSON.stringify({ version: 1, rows: rows.flat() }));
}

/** Every run remembers the systems of the machine before it writes: those of the entries are known. */
function plantSystems(disk: MemoryDisk, esp: Tree): void {
  const found = [...esp.values()].flatMap((bytes) => {
    const text = new TextDecoder('latin1').decode(bytes);
    return [...text.matchAll(/init=(\S+)\/init/g)].map(([, system]) => system);
  });
  if (found.length === 0) return;
  const systems = [...new Set(found)];
  disk.plant('/var/lib/espalier/systems.json', JSON.stringify({ version: 1, systems }));
}

/** An EFI variable as efivarfs shows it: attributes, then UTF-16. */
function variable(text: string): Uint8Array {
  const bytes = new Uint8Array(4 + 2 * (text.length + 1));
  const view = new DataView(bytes.buffer);
  [...text].forEach((character, index) => {
    view.setUint16(4 + 2 * index, character.charCodeAt(0), true);
  });
  return bytes;
}
