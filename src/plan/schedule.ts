/** Orders the steps of a choice. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { allocated } from '../esp/space.ts';
import type { TemporaryFile } from '../esp/temporaries.ts';
import type { Choice } from './choice.ts';
import type { Holdings } from './holdings.ts';
import { defaultPhases } from './loader-conf-steps.ts';
import type { PlanInput } from './plan-input.ts';
import type { OwnFile, OwnFiles } from './present.ts';
import { sharedWithTemporary, underTwoCounters } from './roots.ts';
import type { Write } from './scope.ts';
import { type LeftOut, type Phase, type PhaseName, type Plan, removal, type Step } from './step.ts';
import { type FileRole, idOf } from './wanted.ts';

/** Returns the plan of a choice. `early` are files that are removed first, to make room. */
export function schedule(
  input: PlanInput,
  { own, clusterSize, budget }: Holdings,
  choice: Choice,
  early: readonly OwnFile[],
  leftOut: readonly LeftOut[],
): Plan {
  const { inventory, reserve } = input;
  // An entry that moves is written again at once, so it frees nothing.
  const freed = early.filter((file) => choice.stale.includes(file));
  const shared = new Set([...sharedWithTemporary(inventory), ...underTwoCounters(inventory)]);
  const sizeOf = (files: readonly OwnFile[]) =>
    files.reduce((sum, { size }) => sum + allocated(size, clusterSize), 0);
  return {
    phases: phasesOf(input, choice, early).flatMap(([name, planned]): Phase[] => {
      const steps = planned.filter(({ kind, path }) => kind === 'overwrite' || !shared.has(path));
      return steps.length > 0 ? [{ name, steps }] : [];
    }),
    default: input.default,
    entries: entriesAfter(choice, own),
    leftOut,
    space: {
      total: inventory.total,
      free: inventory.free,
      reserve,
      peak: choice.growth - sizeOf(freed),
      after: budget.free - choice.growth + sizeOf(choice.stale) + budget.loaders.freed,
    },
  };
}

/** New names come first, and old names are removed last. Removals that make room precede both. */
function phasesOf(
  input: PlanInput,
  choice: Choice,
  early: readonly OwnFile[],
): readonly [PhaseName, readonly Step[]][] {
  const { inventory, scope } = input;
  const late = choice.stale.filter((file) => !early.includes(file));
  const removals = (files: readonly OwnFile[], ...roles: readonly FileRole[]) =>
    files
      .filter(({ role }) => roles.includes(role))
      .map((file) => removal(file, REASON[file.role]));
  const writes = (...roles: readonly FileRole[]) =>
    choice.writes
      .filter(({ file }) => roles.includes(file.role))
      .map((write) => writeStep(write, early));
  return [
    ['sweep', sweepable(inventory).map((file) => removal(file, 'a killed run left it'))],
    ['free-entries', removals(early, 'entry')],
    ['free-blobs', removals(early, 'blob')],
    // A list of extra files is written before the first of them, and removed after the last.
    ['put', writes('blob', 'manifest')],
    ['publish', writes('entry')],
    ...(scope === 'gc' ? [] : input.loaders).map(
      ({ replaces: _, ...copy }): [PhaseName, Step[]] => ['loader', [{ kind: 'replace', ...copy }]],
    ),
    ...defaultPhases(input, choice.defaults),
    ['extra-files', writes('extra-file')],
    ['extra-entries', writes('extra-entry')],
    ['remove-entries', removals(late, 'entry', 'extra-entry')],
    ['remove-blobs', removals(late, 'blob', 'extra-file')],
    ['remove-loaders', (input.unusedLoaders ?? []).map((file) => removal(file, file.because))],
    ['remove-lists', removals(late, 'manifest')],
  ];
}

/** Returns the IDs of our entries that exist after the plan. */
function entriesAfter({ writes, stale }: Choice, own: OwnFiles): readonly string[] {
  const gone = new Set(stale);
  const staying = [...own.values()].filter((file) => file.role === 'entry' && !gone.has(file));
  const written = writes.flatMap(({ file, found }) => (file.role === 'entry' ? [found.at] : []));
  return [...new Set([...staying.map(({ path }) => path), ...written].map(idOf))].sort();
}

/** What leads elsewhere is overwritten where it lies, unless it made room and is written anew. */
function writeStep({ file, found }: Write, early: readonly OwnFile[]): Step {
  const { size, content, pointer } = file;
  const because = reasonFor(found);
  if (found.kind === 'astray' && pointer !== undefined) {
    const isThere = !early.some(({ path }) => path === found.at);
    const text = { kind: 'text', text: pointer } as const;
    const bytes = new TextEncoder().encode(pointer).length;
    if (isThere) return { kind: 'overwrite', path: found.at, size: bytes, content: text, because };
  }
  return { kind: 'write', path: found.at, size, content, because };
}

/** Returns the reason of a step that writes a missing file. */
export const NOT_THERE = 'it is not there';

function reasonFor(found: Write['found']): string {
  if (found.kind === 'astray' && found.boots) return found.because;
  if ('because' in found) return `it is damaged: ${found.because}`;
  return found.kind === 'missing' ? NOT_THERE : 'another content is wanted by now';
}

/** Returns leftovers of killed runs that share no clusters with a finished file. */
export function sweepable({ temporaries }: Inventory): readonly TemporaryFile[] {
  return temporaries.filter(({ twin }) => twin === undefined);
}

const REASON = {
  entry: 'no wanted generation has it',
  blob: 'no entry names it',
  'extra-file': 'it is not declared any more',
  'extra-entry': 'it is not declared any more',
  manifest: 'nothing is ours by it alone',
} as const satisfies Record<FileRole, string>;
