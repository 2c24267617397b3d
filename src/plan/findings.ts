/** What is wrong on an ESP, as far as its own names and lists tell. Pure. */
import { ENTRIES, type EspPath } from '../esp/layout.ts';
import type { ExtraView } from './extras.ts';
import { loaderStatus } from './loader-status.ts';
import { menuOf } from './menu.ts';
import type { EspView } from './view.ts';

/** Something that is not as it should be. */
export interface Finding {
  readonly path: EspPath;
  readonly problem: string;
  /** Whether the machine may not start, or not start what it should, because of it. */
  readonly fatal: boolean;
}

/** Returns what is wrong: loaders first, then entries and what they name, then extra files. */
export function findingsOf(view: EspView): readonly Finding[] {
  return [
    ...loaderFindings(view),
    ...entryFindings(view),
    ...leftovers(view),
    ...(view.inventory.manifests ?? []).flatMap(({ path, damage }) =>
      damage === undefined ? [] : [{ path, problem: damage, fatal: false }],
    ),
    ...view.extras.flatMap(extraFinding),
  ];
}

/** One copy that does not start needs a look; two that do not are a machine that does not start. */
function loaderFindings({ loaders }: EspView): readonly Finding[] {
  const copies = loaders.map(loaderStatus);
  const fatal = copies.every(({ problem }) => problem !== undefined);
  return copies.flatMap(({ path, problem }) =>
    problem === undefined ? [] : [{ path, problem, fatal }],
  );
}

function entryFindings(view: EspView): readonly Finding[] {
  const entries = menuOf(view, { booted: undefined, pinned: [] });
  if (entries.length === 0) {
    return [{ path: ENTRIES, problem: 'there is no boot entry', fatal: true }];
  }
  return [
    ...entries.flatMap(({ path, damage, generation, default: isDefault }): Finding[] =>
      damage === undefined || generation === undefined
        ? []
        : [{ path, problem: damage, fatal: isDefault }],
    ),
    ...view.inventory.blobs.flatMap(({ path, damage }): Finding[] =>
      damage === undefined ? [] : [{ path, problem: damage, fatal: false }],
    ),
  ];
}

function leftovers({ inventory: { temporaries } }: EspView): readonly Finding[] {
  return temporaries.map(({ path, twin }) => ({
    path,
    problem: twin ? `it shares its clusters with ${twin}: run fsck.fat -a` : 'a killed run left it',
    fatal: false,
  }));
}

/** Says what is wrong with a file of which lists say that it is one of these. */
function extraFinding({ records, found }: ExtraView): readonly Finding[] {
  const path = records[0]?.path;
  const problem = path && extraProblem(records, found);
  return problem ? [{ path, problem, fatal: false }] : [];
}

function extraProblem(
  records: ExtraView['records'],
  found: ExtraView['found'],
): string | undefined {
  if (found.kind !== 'file') return 'it is not there';
  const fitting = records.filter(({ size }) => size === found.size);
  if (fitting.length === 0) {
    const expected = records.map(({ size }) => size).join(' or ');
    return `it has ${found.size} bytes, expected ${expected}`;
  }
  if (found.unreadable !== undefined) return found.unreadable;
  if (found.digest === undefined) return undefined;
  const isWhole = fitting.some(({ digest }) => digest === found.digest);
  return isWhole ? undefined : 'its content is not what we wrote';
}
