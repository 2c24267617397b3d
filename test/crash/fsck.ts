/** What fsck.fat says about an image, and what it makes of it. */
import { attempt } from '../lab/run.ts';

/** What every mounted file system shows, and the next mount, unmount or check settles. */
const ORDINARY = [
  /^Dirty bit is set/,
  /^ ?Automatically removing dirty bit/,
  /^There are differences between boot sector and its backup/,
  /^This is mostly harmless/,
  /^ *\d+:\w+\/\w+/,
  /^ *Not automatically fixing this/,
  /^Free cluster summary wrong/,
  /^ *Auto-correcting/,
];
const IDLE =
  /^(fsck\.fat |Leaving filesystem unchanged|\*\*\* Filesystem was changed|Writing changes|.*: \d+ files, |$)/;

/** Complaints, numbers taken out, so that equal ones are one. */
export interface Checkup {
  readonly isClean: boolean;
  readonly complaints: readonly string[];
}

/** Looks at an image and changes nothing. */
export function checkImage(image: string): Checkup {
  return checkupOf(attempt('fsck.fat', ['-n', image]));
}

/** Tells whether a complaint is about a part of a long name: fsck.fat leaves it, and it is no file. */
export function isFragment(complaint: string): boolean {
  return FRAGMENT.test(complaint);
}

const FRAGMENT =
  /^(Long filename fragment|\(Maybe the start bit is missing|Not auto-correcting this|Orphaned long file name part|Auto-deleting)/;

/** Tells whether the clusters of a directory lead into one that is free. */
export function hasBrokenDirectory({ complaints }: Checkup): boolean {
  const isBroken = complaints.some((line) => line.startsWith('Contains a free cluster'));
  return isBroken && complaints.some((line) => /^\/(EFI|loader)(\/\w+)?$/i.test(line));
}

/** A directory whose only cluster is free is emptied by the first pass, and removed by the second. */
const PASSES = 3;

/** Mends an image without asking, as a system does each time it starts, and returns what is left. */
export function mendImage(image: string): Checkup {
  let left = checkImage(image);
  for (let pass = 0; pass < PASSES && !left.isClean; pass++) {
    attempt('fsck.fat', ['-a', image]);
    left = checkImage(image);
  }
  return left;
}

function checkupOf({ status, stdout, stderr }: ReturnType<typeof attempt>): Checkup {
  const complaints = `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => ![IDLE, ...ORDINARY].some((pattern) => pattern.test(line)))
    .map((line) => line.trim().replace(/\d+/g, 'N'));
  return { isClean: status === 0, complaints: [...new Set(complaints)] };
}
