/** A system in memory with one service, and what confining it gives. */
import type { ClosureKind } from '../../src/confine/closure.ts';
import { type Confinement, planConfinement, type Request } from '../../src/confine/confinement.ts';
import { MemoryDisk, type Planted } from '../support/memory-disk.ts';
import { anElf } from './an-elf.ts';

export const GLIBC = '/lib64/ld-linux-x86-64.so.2';

/** Returns a program of glibc that needs libraries. */
export const aProgram = (...needed: string[]): Uint8Array => anElf({ interpreter: GLIBC, needed });

/** A store path with a hash that looks like one. */
export const stored = (name: string): string =>
  `/nix/store/${'0123456789abcdfg'.repeat(2)}-${name}`;

const SYSTEM: Readonly<Record<string, Planted>> = {
  '/dev/null': '',
  [GLIBC]: anElf({ soname: 'ld-linux-x86-64.so.2' }),
  '/usr/lib64/libc.so.6': anElf({ needed: ['ld-linux-x86-64.so.2'] }),
  '/usr/bin/dash': aProgram('libc.so.6'),
  '/bin/sh': { link: '../usr/bin/dash' },
  '/usr/bin/daemon': aProgram('libc.so.6'),
};

/** What differs from a daemon whose closure is found by itself, without a shell. */
export interface ServiceShape {
  /** Lines of `[Service]`. */
  readonly lines: readonly string[];
  readonly files?: Readonly<Record<string, Planted>>;
  /** What the store knows: the references of each of its paths. */
  readonly store?: Readonly<Record<string, readonly string[]>>;
  readonly request?: Partial<Omit<Request, 'closure'>> & {
    readonly closure?: ClosureKind | { readonly file: string };
  };
}

/** Confines the service. */
export function confined({
  lines,
  files,
  store = {},
  request,
}: ServiceShape): Promise<Confinement> {
  const unit = ['[Service]', ...lines].join('\n');
  const disk = new MemoryDisk({ files: { ...SYSTEM, ...files, '/srv/a.service': unit } });
  const asked: Request = {
    unit: '/srv/a.service',
    closure: 'auto',
    mode: 'full-apivfs',
    fullUnit: false,
    packages: [],
    binSh: undefined,
    output: undefined,
    ...request,
  };
  return planConfinement(asked, disk, async (paths) => [
    ...new Set(paths.flatMap((path) => requisites(path, store))),
  ]);
}

/** A path and everything that it refers to: a store has no circles, but for a path to itself. */
function requisites(path: string, store: Readonly<Record<string, readonly string[]>>): string[] {
  const others = (store[path] ?? []).filter((other) => other !== path);
  return [path, ...others.flatMap((other) => requisites(other, store))];
}

/** The binds as a drop-in has them, without quotes. */
export function shown({ binds }: Confinement): string[] {
  return binds.map(({ source, place }) => (source === place ? place : `${source}:${place}`));
}
