/** A copy of the repository in which one file at a time is changed and restored. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { changed, type Mutant } from './mutant.ts';

/** The root of the repository that this file is part of. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** Too large to copy, or made by a build: tests of the copy share them or do without. */
const SHARED = ['node_modules', '.cache'];
const LEFT_OUT = ['.git', 'dist', ...SHARED];

/** A copy of the repository. Disposing of it removes it. */
export interface Tree extends Disposable {
  readonly root: string;
  /** Returns what `work` returns while a mutant is applied, and restores the file in any case. */
  withMutant<T>(mutant: Mutant, work: () => Promise<T>): Promise<T>;
}

/** Copies the repository into a new temporary directory. */
export function copyTree(): Tree {
  const root = mkdtempSync(join(tmpdir(), 'espalier-mutants-'));
  for (const name of readdirSync(ROOT)) {
    if (SHARED.includes(name)) symlinkSync(join(ROOT, name), join(root, name));
    if (!LEFT_OUT.includes(name)) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  }
  return {
    root,
    async withMutant(mutant, work) {
      const path = join(root, mutant.file);
      if (!existsSync(path)) throw new RangeError(`${mutant.id}: ${mutant.file} is not there`);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, changed(text, mutant));
      try {
        return await work();
      } finally {
        writeFileSync(path, text);
      }
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
