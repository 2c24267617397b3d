/** One small change of the source, and the test that must notice it. */
import { dirname } from 'node:path';

/** A change that a test has to kill. Paths are relative to the root of the repository. */
export interface Mutant {
  /** Unique: it names the mutant in the table and in every complaint. */
  readonly id: string;
  readonly file: string;
  /** Text that stands in `file` exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly killedBy: {
    readonly file: string;
    /** Matches the title of one test of that file. */
    readonly title: RegExp;
  };
  /** What would go wrong on a machine if the source were like this. */
  readonly why: string;
}

/** The room of the house that a mutant changes: the folder of its file below `src`. */
export function roomOf({ file }: Mutant): string {
  return dirname(file).replace(/^src\//, '');
}

/**
 * Returns the text of a file with the change of a mutant.
 * @throws {RangeError} when the text to find is not there exactly once, or the change is none
 */
export function changed(text: string, { id, file, find, replace }: Mutant): string {
  const count = text.split(find).length - 1;
  if (count !== 1) {
    throw new RangeError(`${id}: ${file} has the text to find ${count} times, expected once`);
  }
  if (find === replace) throw new RangeError(`${id}: it changes nothing`);
  return text.replace(find, () => replace);
}

/** Returns the mutants by which a quick run looks at every room: the first of each list. */
export function fewOf(lists: readonly (readonly Mutant[])[]): readonly Mutant[] {
  return lists.flatMap((list) => list.slice(0, 1));
}
