/** A disk on which one chosen operation fails, or all from there on, in any way that a kernel knows. */
import * as fs from 'node:fs';
import type { NewFile, OpenFile, WritableDisk } from '../../src/disk/disk.ts';
import { ioError } from '../../src/io-error.ts';

/** What goes wrong: an error number, or some of the bytes are written and then the disk is full. */
export type Fault = 'EIO' | 'ENOSPC' | 'EROFS' | 'EINTR' | 'EACCES' | 'short';

/** Operations that change something, and those that look. */
export type Side = 'writing' | 'reading';

/** When and how a disk fails. */
export interface Failure {
  readonly side: Side;
  /** Which operation of its side, counted from 0. */
  readonly at: number;
  readonly fault: Fault;
  /** Whether every later operation of this side fails as well. */
  readonly lasting: boolean;
}

const READING = ['stat', 'linkStat', 'list', 'readLink', 'realPath', 'read', 'fileSystem'] as const;
const WRITING = [
  'makeDirectory',
  'overwrite',
  'replaceText',
  'makeLink',
  'rename',
  'remove',
  'makeTemporary',
  'removeTemporary',
  'syncFile',
  'syncDirectory',
] as const;

/** A disk that says what was asked of it. */
export interface FailingDisk {
  readonly disk: WritableDisk;
  /** What was asked on the side of the failure, in order. */
  readonly calls: readonly string[];
}

/**
 * Wraps a disk; what is done through its open files counts too.
 * @param before told before each operation on the side of the failure
 */
export function failingDisk(
  disk: WritableDisk,
  failure: Failure,
  before: (index: number) => unknown = () => undefined,
): FailingDisk {
  const calls: string[] = [];
  /** Counts an operation, and says whether it is to fail. */
  const isDoomed = (side: Side, operation: string, path: string): boolean => {
    if (side !== failure.side) return false;
    const index = calls.push(`${operation} ${path}`) - 1;
    before(index);
    return failure.lasting ? index >= failure.at : index === failure.at;
  };
  const failed = (operation: string, path: string) => {
    const code = failure.fault === 'short' ? 'ENOSPC' : failure.fault;
    return ioError(operation, path, Object.assign(new Error(code), { code }));
  };
  const guarded =
    (side: Side, operation: string, run: (...args: never[]) => unknown) =>
    (...args: never[]): unknown => {
      if (isDoomed(side, operation, String(args[0]))) throw failed(operation, String(args[0]));
      return run(...args);
    };
  const openFile = (path: string, file: OpenFile): OpenFile => ({
    size: file.size,
    [Symbol.dispose]: () => file[Symbol.dispose](),
    read: guarded('reading', `read of ${path}`, file.read) as OpenFile['read'],
    readInto: guarded('reading', `read of ${path}`, file.readInto) as OpenFile['readInto'],
  });
  const newFile = (path: string, file: NewFile): NewFile => ({
    async write(bytes) {
      if (!isDoomed('writing', 'write', path)) return file.write(bytes);
      if (failure.fault === 'short') await file.write(bytes.subarray(0, bytes.length / 3));
      throw failed('write', path);
    },
    async writeAt(offset, bytes) {
      if (!isDoomed('writing', 'write at', path)) return file.writeAt(offset, bytes);
      if (failure.fault === 'short')
        await file.writeAt(offset, bytes.subarray(0, bytes.length / 3));
      throw failed('write', path);
    },
    async finish() {
      if (!isDoomed('writing', 'sync', path)) return file.finish();
      await file.abandon();
      throw failed('sync', path);
    },
    abandon: () => file.abandon(),
  });
  const simple = (side: Side, names: readonly (keyof WritableDisk)[]) =>
    Object.fromEntries(names.map((name) => [name, guarded(side, name, disk[name] as never)]));
  return {
    calls,
    disk: {
      ...disk,
      ...simple('reading', READING),
      ...simple('writing', WRITING),
      open(path) {
        if (isDoomed('reading', 'open', path)) throw failed('open', path);
        return openFile(path, disk.open(path));
      },
      async create(path) {
        if (isDoomed('writing', 'create', path)) throw failed('create', path);
        return newFile(path, await disk.create(path));
      },
      async copy(from, to) {
        if (!isDoomed('writing', 'copy', to)) return disk.copy(from, to);
        if (failure.fault === 'short') {
          const bytes = fs.readFileSync(from);
          fs.writeFileSync(to, bytes.subarray(0, bytes.length / 3));
        }
        throw failed('copy', to);
      },
    },
  };
}
