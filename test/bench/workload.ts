/** The jobs that are measured, and what each may cost. */
import * as fs from 'node:fs';
import { join, relative } from 'node:path';
import { espalier, type Installer, type Peers, type Site } from './installer.ts';
import { aMachine, type Machine, type MachineShape } from './machine.ts';
import { type Command, run } from './process.ts';

/** One way to do a job. */
export interface Contender {
  readonly name: string;
  /** Brings about the state that the job starts from. Not measured. */
  readonly prepare: () => void;
  readonly commands: readonly Command[];
}

/** What espalier's wall time may be, as a multiple of what contenders take together. */
export interface Target {
  readonly atMost: number;
  readonly dream?: number;
  readonly of: readonly string[];
}

/** A job, the ways to do it (ours first), and what it may cost. */
export interface Workload {
  readonly id: string;
  readonly title: string;
  readonly target: Target;
  /** Bytes of all kernels and initrds. */
  readonly payload: number;
  /** Whether the job takes reading any of them. */
  readonly needsPayload: boolean;
  readonly contenders: readonly Contender[];
}

/** What workloads are made from. */
export interface Workshop {
  /** An empty directory. */
  readonly work: string;
  /** Our program. */
  readonly bundle: string;
  readonly peers: Peers;
}

/** Copying the same bytes to the same file system, and making them durable. */
const FLOOR = 'floor: cp, sync -f';
/** A process that does nothing. */
const EMPTY_NODE = 'empty Node';
const FLOOR_AND_NODE = [FLOOR, EMPTY_NODE];

type Make = (workshop: Workshop) => Workload;

/** The workloads by their letters. Making one takes disk space until its directory is removed. */
export const WORKLOADS: Readonly<Record<string, Make>> = {
  a: (workshop) => freshInstall('a', TWENTY, { atMost: 1.6, dream: 1.3, of: [FLOOR] }, workshop),
  b: nothingChanged,
  c: oneMore,
  d: (workshop) => freshInstall('d', HUNDRED, { atMost: 3, of: FLOOR_AND_NODE }, workshop),
  e: oneImage,
};

const TWENTY: MachineShape = { generations: 20, kernels: 4, initrds: 20 };
const HUNDRED: MachineShape = { generations: 100, kernels: 2, initrds: 2 };

function freshInstall(
  id: string,
  shape: MachineShape,
  target: Target,
  workshop: Workshop,
): Workload {
  const machine = aMachine(join(workshop.work, id), shape);
  const { generations, kernels, initrds } = shape;
  const reference = site(join(workshop.work, id), 'reference');
  run(ours(workshop).install(machine, reference));
  return {
    id,
    title: `fresh install of ${generations} generations, ${kernels} kernels, ${initrds} initrds, type1`,
    target,
    payload: machine.payload,
    needsPayload: true,
    contenders: [
      ...installers(workshop).map((installer): Contender => {
        const at = site(join(workshop.work, id), installer.name);
        return {
          name: installer.name,
          prepare: () => clear(at.esp, at.cache),
          commands: [installer.install(machine, at)],
        };
      }),
      floor(join(workshop.work, id), reference.esp),
      emptyNode(workshop),
    ],
  };
}

function nothingChanged(workshop: Workshop): Workload {
  const root = join(workshop.work, 'b');
  const machine = aMachine(root, TWENTY);
  return {
    id: 'b',
    title: 'second run of (a), nothing changed',
    target: { atMost: 1.8, of: [EMPTY_NODE] },
    payload: machine.payload,
    needsPayload: false,
    contenders: [
      ...installers(workshop).map((installer): Contender => {
        const command = installer.install(machine, site(root, installer.name));
        run(command);
        return { name: installer.name, prepare: () => {}, commands: [command] };
      }),
      emptyNode(workshop),
    ],
  };
}

function oneMore(workshop: Workshop): Workload {
  const root = join(workshop.work, 'c');
  const machine = aMachine(root, { ...TWENTY, withAnother: true });
  const reference = site(root, 'reference');
  return {
    id: 'c',
    title: 'one generation more than (a), with a kernel and an initrd of its own',
    target: { atMost: 2.5, of: FLOOR_AND_NODE },
    payload: machine.payload,
    needsPayload: true,
    contenders: [
      ...installers(workshop).map((installer) => addsOne(installer, machine, root)),
      floor(root, whatAnotherBrings(ours(workshop), machine, reference, root)),
      emptyNode(workshop),
    ],
  };
}

/** The state to start from is one in which the added generation is gone, from the cache as well. */
function addsOne(installer: Installer, machine: Machine, root: string): Contender {
  const at = site(root, installer.name);
  const cacheBefore = `${at.cache}-before`;
  machine.show(false);
  run(installer.install(machine, at));
  machine.show(true);
  const command = installer.install(machine, at);
  fs.cpSync(at.cache, cacheBefore, { recursive: true });
  return {
    name: installer.name,
    prepare: () => {
      machine.show(false);
      run(installer.install(machine, at));
      clear(at.cache);
      fs.cpSync(cacheBefore, at.cache, { recursive: true });
      machine.show(true);
    },
    commands: [command],
  };
}

/** Returns a directory with those files that one more generation brings. */
function whatAnotherBrings(
  installer: Installer,
  machine: Machine,
  { esp, cache }: Site,
  root: string,
): string {
  machine.show(false);
  run(installer.install(machine, { esp, cache }));
  const before = new Set(filesIn(esp));
  machine.show(true);
  run(installer.install(machine, { esp, cache }));
  const delta = join(root, 'delta');
  fs.mkdirSync(delta);
  const added = filesIn(esp).filter((path) => !before.has(path));
  added.forEach((path, index) => {
    fs.renameSync(join(esp, path), join(delta, String(index)));
  });
  return delta;
}

function filesIn(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

function oneImage(workshop: Workshop): Workload {
  const { work, bundle, peers } = workshop;
  const root = join(work, 'e');
  const machine = aMachine(root, { generations: 1, kernels: 1, initrds: 1 });
  const installer = espalier(bundle, 'uki', true);
  const [reference, at] = [site(root, 'reference'), site(root, 'espalier')];
  run(installer.install(machine, reference));
  const built = join(root, 'built');
  const builder = peers.imageBuilder;
  return {
    id: 'e',
    title: 'one signed UKI, kernel of 12 MiB and initrd of 32 MiB',
    target: { atMost: 3, of: FLOOR_AND_NODE },
    payload: machine.payload,
    needsPayload: true,
    contenders: [
      {
        name: installer.name,
        prepare: () => clear(at.esp, at.cache),
        commands: [installer.install(machine, at)],
      },
      ...(builder
        ? [
            {
              name: builder.name,
              prepare: () => clear(built),
              commands: [builder.build(machine, join(built, 'image.efi'))],
            },
          ]
        : []),
      floor(root, reference.esp),
      emptyNode(workshop),
    ],
  };
}

function ours({ bundle }: Workshop): Installer {
  return espalier(bundle, 'type1', false);
}

function installers(workshop: Workshop): Installer[] {
  const peer = workshop.peers.installer;
  return peer ? [ours(workshop), peer] : [ours(workshop)];
}

/** Makes the directories that an installer works on. */
export function site(root: string, name: string): Site {
  const own = join(root, name.replace(/\W.*$/, ''));
  const made = { esp: join(own, 'esp'), cache: join(own, 'cache') };
  clear(made.esp, made.cache);
  return made;
}

/** Makes directories that are empty. The cache is one that only its owner may write. */
function clear(...directories: readonly string[]): void {
  for (const directory of directories) {
    fs.rmSync(directory, { recursive: true, force: true });
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
}

function floor(root: string, source: string): Contender {
  const target = join(root, 'floor');
  return {
    name: FLOOR,
    prepare: () => clear(target),
    commands: [
      { program: 'cp', args: ['-r', `${source}/.`, target] },
      { program: 'sync', args: ['-f', target] },
    ],
  };
}

function emptyNode({ work }: Workshop): Contender {
  const script = join(work, 'empty.mjs');
  fs.writeFileSync(script, '');
  return {
    name: EMPTY_NODE,
    prepare: () => {},
    commands: [{ program: process.execPath, args: [script] }],
  };
}
