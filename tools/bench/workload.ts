/** The jobs that are measured, and what each may cost. */
import * as fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  espalier,
  type Installer,
  LZBT,
  makeKeys,
  ownKeys,
  type Peers,
  type Site,
} from './installer.ts';
import { aMachine, type Machine, type MachineShape } from './machine.ts';
import { type Command, run } from './process.ts';
import { MIB } from './statistics.ts';

/** One way to do a job. */
export interface Contender {
  readonly name: string;
  /** Brings about the state that the job starts from. Not measured. */
  readonly prepare: () => void;
  readonly commands: readonly Command[];
  /** A file that the commands make, if its size is worth a look. */
  readonly output?: string;
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
  /** Whether hardly more may be written than what is there in the end. */
  readonly isWrittenOnce?: boolean;
  /** How often each is measured; absent for as often as usual. What is over soon needs more. */
  readonly rounds?: number;
  readonly contenders: readonly Contender[];
}

/** What workloads are made from. */
export interface Workshop {
  /** An empty directory. */
  readonly work: string;
  /** Our program. */
  readonly bundle: string;
  readonly peers: Peers;
  /** Who installs, ours first. */
  readonly installers: readonly [Installer, ...Installer[]];
  /** What they write. */
  readonly format: string;
}

/** Copying the same bytes to the same file system, with the barriers that their order needs. */
const FLOOR = 'floor: cp, sync -f';
/** A process that does nothing. */
const EMPTY_NODE = 'empty Node';
/** Our own program with an image for each generation. */
const AS_UKI = 'uki: espalier';
/** Our own program with lanzaboote's stub. */
const AS_THIN = 'thin: espalier';
const FLOOR_AND_NODE = [FLOOR, EMPTY_NODE];

export type Make = (workshop: Workshop) => Workload | Promise<Workload>;

const TWENTY: MachineShape = { generations: 20, kernels: 4, initrds: 20 };
const HUNDRED: MachineShape = { generations: 100, kernels: 2, initrds: 2 };

/** The workloads by their letters. Making one takes disk space until its directory is removed. */
export const WORKLOADS: Readonly<Record<string, Make>> = {
  a: freshInstall('a', TWENTY, { atMost: 1.6, dream: 1.3, of: [FLOOR] }),
  b: nothingChanged('b', { atMost: 1.8, of: [EMPTY_NODE] }),
  c: oneMore('c', { atMost: 2.5, of: FLOOR_AND_NODE }),
  d: freshInstall('d', HUNDRED, { atMost: 3, of: FLOOR_AND_NODE }),
  e: oneImage,
  g: sharing(freshInstall('g', HUNDRED, { atMost: 2.5, of: FLOOR_AND_NODE })),
  h: sharing(oneMore('h', { atMost: 2.5, of: FLOOR_AND_NODE }, HUNDRED, 'known')),
  i: sharing(nothingChanged('i', { atMost: 1.1, of: [AS_UKI] }), (whole) => [
    { ...whole, name: AS_UKI },
  ]),
};

/**
 * The same with images that generations share, and a key as owners of machines have it.
 * @param beside returns further contenders, given ours that installs whole images and the usual ones
 */
function sharing(
  make: Make,
  beside: (whole: Installer, usual: Workshop['installers']) => readonly Installer[] = () => [],
): Make {
  return (workshop) => {
    const keys = makeKeys(workshop.bundle);
    const others = beside(
      espalier(workshop.bundle, 'uki', () => keys),
      workshop.installers,
    );
    const installers = [espalier(workshop.bundle, 'shared', () => keys), ...others] as const;
    return make({ ...workshop, installers, format: 'shared, RSA-4096' });
  };
}

/** The same beside lanzaboote's tool: what we may take of its time. */
export const WORKLOADS_OF_LZBT: Readonly<Record<string, Make>> = {
  A: freshInstall('A', TWENTY, { atMost: 0.25, of: [LZBT] }),
  B: nothingChanged('B', { atMost: 2.5, of: [LZBT] }),
  C: oneMore('C', { atMost: 0.7, of: [LZBT] }),
  D: freshInstall('D', HUNDRED, { atMost: 0.05, of: [LZBT] }),
  E: sharing(freshInstall('E', HUNDRED, { atMost: 0.02, of: [LZBT] }), (_, [thin, ...peers]) => [
    { ...thin, name: AS_THIN },
    ...peers,
  ]),
};

function freshInstall(id: string, shape: MachineShape, target: Target): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const machine = aMachine(root, shape);
    const { generations, kernels, initrds } = shape;
    const reference = site(root, 'reference');
    run(workshop.installers[0].install(machine, reference));
    return {
      id,
      title: `fresh install of ${generations} generations, ${kernels} kernels, ${initrds} initrds, ${workshop.format}`,
      target,
      payload: machine.payload,
      needsPayload: true,
      contenders: [
        ...workshop.installers.map((installer): Contender => {
          const at = site(root, installer.name);
          return {
            name: installer.name,
            prepare: () => clear(at.esp, at.cache),
            commands: [installer.install(machine, at)],
          };
        }),
        floor(root, inPhases(reference.esp, join(root, 'phases'))),
        emptyNode(workshop),
      ],
    };
  };
}

function nothingChanged(id: string, target: Target): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const machine = aMachine(root, TWENTY);
    return {
      id,
      title: `second run of ${TWENTY.generations} generations, nothing changed, ${workshop.format}`,
      target,
      payload: machine.payload,
      needsPayload: false,
      contenders: [
        ...workshop.installers.map((installer): Contender => {
          const command = installer.install(machine, site(root, installer.name));
          run(command);
          return { name: installer.name, prepare: () => {}, commands: [command] };
        }),
        emptyNode(workshop),
      ],
    };
  };
}

function oneMore(
  id: string,
  target: Target,
  shape = TWENTY,
  withAnother: 'own' | 'known' = 'own',
): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const machine = aMachine(root, { ...shape, withAnother });
    const reference = site(root, 'reference');
    return {
      id,
      title: `one more than ${shape.generations} generations, with ${OF[withAnother]}, ${workshop.format}`,
      target,
      payload: machine.payload,
      needsPayload: true,
      contenders: [
        ...workshop.installers.map((installer) => addsOne(installer, machine, root)),
        floor(root, whatAnotherBrings(workshop.installers[0], machine, reference, root)),
        emptyNode(workshop),
      ],
    };
  };
}

const OF = {
  own: 'a kernel and an initrd of its own',
  known: 'a kernel and an initrd that others have',
} as const;

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
      // What the added generation shared with others is gone with it.
      clear(at.esp);
      run(installer.install(machine, at));
      clear(at.cache);
      fs.cpSync(cacheBefore, at.cache, { recursive: true });
      machine.show(true);
    },
    commands: [command],
  };
}

/** Returns directories with those files that one more generation brings or changes, phase by phase. */
function whatAnotherBrings(
  installer: Installer,
  machine: Machine,
  { esp, cache }: Site,
  root: string,
): readonly string[] {
  machine.show(false);
  run(installer.install(machine, { esp, cache }));
  const before = new Map(filesIn(esp).map((path) => [path, textOf(join(esp, path))]));
  machine.show(true);
  run(installer.install(machine, { esp, cache }));
  for (const path of filesIn(esp)) {
    if (before.get(path) === textOf(join(esp, path))) fs.rmSync(join(esp, path));
  }
  return inPhases(esp, join(root, 'delta'));
}

/** What is large is named by its content. */
function textOf(path: string): string {
  return fs.statSync(path).size > MIB ? '' : fs.readFileSync(path, 'latin1');
}

/** The phases of an installation by the paths of what they write; each is durable before the next. */
const PHASES = [
  /^EFI\/nixos\//,
  /^(EFI\/Linux|loader\/entries)\//,
  /^EFI\/systemd\//,
  /^EFI\/BOOT\//,
  /^/,
];

/** Moves the files of an ESP into directories below `target`, one for each phase that writes any. */
function inPhases(esp: string, target: string): readonly string[] {
  const phaseOf = (path: string) => PHASES.findIndex((pattern) => pattern.test(path));
  const phases = [...Map.groupBy(filesIn(esp), phaseOf)].sort(([a], [b]) => a - b);
  return phases.map(([phase, paths]) => {
    const directory = join(target, String(phase));
    for (const path of paths) {
      const to = join(directory, path);
      fs.mkdirSync(dirname(to), { recursive: true });
      fs.renameSync(join(esp, path), to);
    }
    return directory;
  });
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
  const installer = espalier(bundle, 'uki', ownKeys);
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
      floor(root, inPhases(reference.esp, join(root, 'phases'))),
      emptyNode(workshop),
    ],
  };
}

/** Makes the directories that an installer works on. */
export function site(root: string, name: string): Site {
  const own = join(root, name.replace(/\W.*$/, ''));
  const made = { esp: join(own, 'esp'), cache: join(own, 'cache') };
  clear(made.esp, made.cache);
  return made;
}

/** Makes directories that are empty. The cache is one that only its owner may write. */
export function clear(...directories: readonly string[]): void {
  for (const directory of directories) {
    fs.rmSync(directory, { recursive: true, force: true });
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
}

/** Copies directories, each of which is durable before the next. */
function floor(root: string, sources: readonly string[]): Contender {
  const target = join(root, 'floor');
  return {
    name: FLOOR,
    prepare: () => clear(target),
    commands: sources.flatMap((source) => [
      { program: 'cp', args: ['-r', `${source}/.`, target] },
      { program: 'sync', args: ['-f', target] },
    ]),
  };
}

/** Starts Node with a script that does nothing. */
export function emptyNode({ work }: Workshop): Contender {
  const script = join(work, 'empty.mjs');
  fs.writeFileSync(script, '');
  return {
    name: EMPTY_NODE,
    prepare: () => {},
    commands: [{ program: process.execPath, args: [script] }],
  };
}
