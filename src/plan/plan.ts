/** The decision: what is wanted, what is there and how much fits, turned into a plan or a refusal. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, type EspPath, KEPT_SETTINGS, LOADER_CONF } from '../esp/layout.ts';
import { allocated } from '../esp/space.ts';
import type { TemporaryFile } from '../esp/temporaries.ts';
import { formatKept, isSector, parseKept } from '../loader/loader-conf.ts';
import { type Budget, budgetOf, CONF_CLUSTERS, steadyCost, writeCost } from './budget.ts';
import { forecastEsp, refuseEsp } from './esp-space.ts';
import { type Extras, listsToKeep } from './extras.ts';
import { freeFirst } from './free-first.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFile, type OwnFiles, ownFiles, standing } from './present.ts';
import { doubles, protectedKeys, twins } from './roots.ts';
import { removalsWithin, type Write, writesWithin } from './scope.ts';
import type { LeftOut, Phase, PhaseName, Plan, Refusal, Step } from './step.ts';
import { type FileRole, filesOf, idOf, type WantedFile, type WantedGeneration } from './wanted.ts';

/** One way to do it: these files to write, these files of ours without a use. */
interface Choice {
  readonly writes: readonly Write[];
  /** What is to become of loader.conf and of the mark of the layout. */
  readonly defaults: readonly Step[];
  /** Our files, those that are to be mended marked as damaged. */
  readonly own: OwnFiles;
  readonly stale: readonly OwnFile[];
  /** Bytes in use beyond what is in use now when everything is written and nothing removed. */
  readonly growth: number;
}

/** What stays the same whichever generations are chosen. */
interface Ground {
  readonly own: OwnFiles;
  readonly kept: ReadonlySet<string>;
  readonly budget: Budget;
  readonly clusterSize: number;
}

/**
 * Returns the plan for one ESP, or a refusal when what must fit does not.
 *
 * New names come first and old names go last. Where both do not fit together, as few old entries as
 * possible go first; the musts are never given up for the wishes, and no run removes the last entry
 * that boots.
 */
export function plan(input: PlanInput): Plan | Refusal {
  const esp = forecastEsp(input);
  const crowded = esp && refuseEsp(esp);
  if (crowded) return crowded;
  const planned = planEntries(input);
  return esp && !('kind' in planned) ? { ...planned, espSpace: esp } : planned;
}

function planEntries(input: PlanInput): Plan | Refusal {
  const ground = survey(input);
  const { chosen, leftOut } = chooseWishes(input, ground);
  if (!chosen) return refuse(input, ground);
  for (;;) {
    const choice = choose(chosen, input, ground);
    const early = freeFirst({
      missing: choice.growth - ground.budget.free,
      stale: choice.stale,
      own: choice.own,
      clusterSize: ground.clusterSize,
    });
    if (early) return schedule(input, ground, choice, early, leftOut);
    if (chosen.length === input.musts.length) return refuse(input, ground);
    const dropped = chosen.pop();
    leftOut.push({
      generation: dropped?.name ?? '',
      because: 'no space on the ESP beside what must stay until it is written',
    });
  }
}

function survey(input: PlanInput): Ground {
  const { inventory, loaders, reserve } = input;
  const own = ownFiles(inventory);
  const kept = new Set([...protectedKeys(input.roots, inventory, own), ...namedKeys(input)]);
  const { extras = NO_EXTRAS, scope } = input;
  for (const key of listsToKeep(kept, inventory, { extras, scope }, own)) kept.add(key);
  return {
    own,
    kept,
    budget: budgetOf(inventory, own, { reserve, loaders }),
    clusterSize: inventory.clusterSize,
  };
}

/** What wanted entries name and others put there may by now be a file of ours that nothing else wants. */
function namedKeys({ musts, wishes, extras = NO_EXTRAS }: PlanInput): readonly string[] {
  const entries = [...musts, ...wishes].flatMap((generation) => generation.entries);
  return [...entries.flatMap(({ others = [] }) => others), ...extras.named].map(keyOf);
}

const NO_EXTRAS: Pick<Extras, 'wanted' | 'named'> = { wanted: [], named: [] };

/** Returns the musts and as many wishes as fit for good, or no choice when the musts do not. */
function chooseWishes(
  input: PlanInput,
  { own, kept, budget, clusterSize }: Ground,
): { chosen: WantedGeneration[] | undefined; leftOut: LeftOut[] } {
  const leftOut = [...input.leftOut];
  const cost = (generations: readonly WantedGeneration[]) =>
    steadyCost(wantedFiles(generations, input), kept, own, budget, clusterSize);
  const chosen = [...input.musts];
  const least = cost(chosen);
  if (least.grows && least.bytes > budget.available) return { chosen: undefined, leftOut };
  // Nearly always everything fits, and one look tells; else each wish is weighed in its turn.
  const all = [...chosen, ...input.wishes];
  if (cost(all).bound <= budget.available) return { chosen: all, leftOut };
  for (const wish of input.wishes) {
    if (cost([...chosen, wish]).bound <= budget.available) chosen.push(wish);
    else leftOut.push({ generation: wish.name, because: 'no space on the ESP' });
  }
  return { chosen, leftOut };
}

function wantedFiles(
  generations: readonly WantedGeneration[],
  { extras = NO_EXTRAS }: PlanInput,
): WantedFile[] {
  return [...generations.flatMap(({ entries }) => entries).flatMap(filesOf), ...extras.wanted];
}

/** Works out what a set of generations lacks, and which files of ours it leaves without a use. */
function choose(
  generations: readonly WantedGeneration[],
  input: PlanInput,
  { own, kept, budget, clusterSize }: Ground,
): Choice {
  const { scope, inventory } = input;
  const used = new Map(wantedFiles(generations, input).map((file) => [keyOf(file.path), file]));
  const lacking = [...used.values()].flatMap((file): Write[] => {
    const found = standing(file, own);
    return found.kind === 'present' ? [] : [{ file, found }];
  });
  const unused = [...own].flatMap(([key, file]) => (used.has(key) || kept.has(key) ? [] : [file]));
  const writes = writesWithin(scope, lacking, own);
  const judged = withDamage(own, lacking);
  const files = writes.map(({ file }) => file);
  const defaults = defaultsWithin(input, [...own.keys(), ...files.map(({ path }) => keyOf(path))]);
  const isReplaced = !inventory.espSpace && defaults.some(({ kind }) => kind === 'replace');
  return {
    writes,
    defaults,
    own: judged,
    stale: removalsWithin(scope, unused, generations, lacking, judged),
    growth:
      writeCost(files, budget, clusterSize) +
      (isReplaced ? CONF_CLUSTERS * clusterSize : 0) +
      (scope === 'gc' ? 0 : budget.loaders.peak) +
      (scope === 'all' ? budget.fixed : 0),
  };
}

/** A file whose header is whole may have another size than it should: until it is mended, it is damaged. */
function withDamage(own: OwnFiles, lacking: readonly Write[]): OwnFiles {
  const judged = new Map(own);
  for (const { file, found } of lacking) {
    const key = keyOf(file.path);
    const damaged = own.get(key);
    if (damaged && found.kind === 'damaged') judged.set(key, { ...damaged, damage: found.because });
  }
  return judged;
}

function writeStep({ file: { size, content }, found }: Write): Step {
  return { kind: 'write', path: found.at, size, content, because: reasonFor(found) };
}

/** The reason of a step that writes what is missing. */
export const NOT_THERE = 'it is not there';

function reasonFor(found: Write['found']): string {
  if (found.kind === 'damaged') return `it is damaged: ${found.because}`;
  return found.kind === 'missing' ? NOT_THERE : 'another content is wanted by now';
}

/** Puts the steps of a choice in order. `early` are the files that have to make room. */
function schedule(
  input: PlanInput,
  { own, clusterSize, budget }: Ground,
  choice: Choice,
  early: readonly OwnFile[],
  leftOut: readonly LeftOut[],
): Plan {
  const { inventory, scope } = input;
  const late = choice.stale.filter((file) => !early.includes(file));
  const removals = (files: readonly OwnFile[], ...roles: readonly FileRole[]) =>
    files
      .filter(({ role }) => roles.includes(role))
      .map((file) => removal(file, REASON[file.role]));
  const writes = (...roles: readonly FileRole[]) =>
    choice.writes.filter(({ file }) => roles.includes(file.role)).map(writeStep);
  const phases: [PhaseName, readonly Step[]][] = [
    ['sweep', sweepable(inventory).map((file) => removal(file, 'a killed run left it'))],
    ['free-entries', removals(early, 'entry')],
    ['free-blobs', removals(early, 'blob')],
    // A list of extra files is there before the first of them, and goes after the last.
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
    ['remove-lists', removals(late, 'manifest')],
  ];
  const sizeOf = (files: readonly OwnFile[]) =>
    files.reduce((sum, { size }) => sum + allocated(size, clusterSize), 0);
  const gone = new Set(choice.stale);
  const shared = new Set([...twins(inventory), ...doubles(inventory)]);
  return {
    phases: phases.flatMap(([name, planned]): Phase[] => {
      const steps = planned.filter(({ kind, path }) => kind === 'overwrite' || !shared.has(path));
      return steps.length > 0 ? [{ name, steps }] : [];
    }),
    default: input.default,
    entries: [
      ...new Set([
        ...[...own.values()].flatMap((file) =>
          file.role === 'entry' && !gone.has(file) ? [idOf(file.path)] : [],
        ),
        ...writes('entry').map(({ path }) => idOf(path)),
      ]),
    ].sort(),
    leftOut,
    space: {
      total: inventory.total,
      free: inventory.free,
      reserve: input.reserve,
      peak: choice.growth - sizeOf(early),
      after: budget.free - choice.growth + sizeOf(choice.stale),
    },
  };
}

/** The remains of killed runs that are nothing else as well. */
function sweepable({ temporaries }: Inventory): readonly TemporaryFile[] {
  return temporaries.filter(({ twin }) => twin === undefined);
}

const REASON = {
  entry: 'no wanted generation has it',
  blob: 'no entry names it',
  'extra-file': 'it is not declared any more',
  'extra-entry': 'it is not declared any more',
  manifest: 'nothing is ours by it alone',
} as const satisfies Record<FileRole, string>;

function removal({ path, size }: { path: EspPath; size: number }, because: string): Step {
  return { kind: 'remove', path, size, because };
}

/**
 * A repair leaves alone what boots next, unless nothing says so and the entry is there; a collection
 * always does.
 */
function defaultsWithin(
  { scope, inventory, loaderConf, default: id }: PlanInput,
  keys: readonly string[],
): Step[] {
  const isThere = keys.some((key) => key.endsWith(`/${id.toLowerCase()}`));
  const steps = [
    ...layoutMark(inventory),
    ...(scope === 'all' || isThere ? defaultSteps(inventory, loaderConf) : []),
  ];
  return scope === 'all'
    ? steps
    : steps.filter(({ kind }) => scope === 'repair' && kind === 'write');
}

/**
 * While a foreign loader.conf is replaced, its name may lead to a part of it, and its settings would be
 * gone: until that is over, they are in a file beside it.
 */
function defaultPhases(
  { scope, inventory: { keptSettings }, loaderConf }: PlanInput,
  steps: readonly Step[],
): [PhaseName, readonly Step[]][] {
  const isReplaced = steps.some(({ kind }) => kind === 'replace');
  const isKept = keptSettings !== undefined && parseKept(keptSettings) === loaderConf;
  const kept = formatKept(loaderConf);
  const keep = textStep('write', KEPT_SETTINGS, kept, 'loader.conf is about to be replaced');
  const size = keptSettings?.length ?? keep.size;
  const isLeft = keptSettings !== undefined && scope === 'all';
  return [
    ['default', isReplaced && !isKept ? [keep] : []],
    ['default', steps],
    [
      'default',
      isReplaced || isLeft
        ? [removal({ path: KEPT_SETTINGS, size }, 'loader.conf has these settings now')]
        : [],
    ],
  ];
}

/** BLS §Locations: the file that marks an ESP as one with Type #1 entries. */
function layoutMark({ layout }: Inventory): Step[] {
  const text = 'type1\n';
  return layout === undefined ? [textStep('write', ENTRIES_SREL, text, 'it is not there')] : [];
}

/**
 * loader.conf has a fixed name, so it is kept at one sector and overwritten in place: a sector is
 * written or it is not. A file of another size is replaced once.
 */
function defaultSteps({ loaderConf }: Inventory, wanted: string): Step[] {
  if (loaderConf === undefined) return [textStep('write', LOADER_CONF, wanted, 'it is not there')];
  if (new TextDecoder().decode(loaderConf) === wanted) return [];
  return isSector(loaderConf)
    ? [textStep('overwrite', LOADER_CONF, wanted, 'another entry boots next, or a setting changed')]
    : [
        textStep(
          'replace',
          LOADER_CONF,
          wanted,
          `it has ${loaderConf.length} bytes, not one sector`,
        ),
      ];
}

function textStep(
  kind: 'write' | 'replace' | 'overwrite',
  path: EspPath,
  text: string,
  because: string,
): Step {
  return {
    kind,
    path,
    size: new TextEncoder().encode(text).length,
    content: { kind: 'text', text },
    because,
  };
}

/** Says what is needed, what there is, who holds the rest and what frees it. */
function refuse(input: PlanInput, { own, kept, budget, clusterSize }: Ground): Refusal {
  const { inventory, musts, reserve } = input;
  const { bytes: needed } = steadyCost(wantedFiles(musts, input), kept, own, budget, clusterSize);
  const growth = choose(musts, input, { own, kept, budget, clusterSize }).growth;
  const ours = [...own.values()].reduce((sum, { size }) => sum + allocated(size, clusterSize), 0);
  const others = inventory.total - inventory.free - ours;
  return {
    kind: 'refusal',
    needed: Math.max(needed, growth),
    available: needed > budget.available ? budget.available : budget.free,
    message: [
      `generations ${musts.map(({ name }) => name).join(', ')} need ${needed} bytes`,
      `${budget.available} are to be had: ${inventory.free} free, ${ours} in our own files, ${reserve} kept in reserve`,
      `${others} are held by others`,
      ...(needed > budget.available ? [] : [`${growth} must fit beside the last entry that boots`]),
    ].join('; '),
    hint: 'free space on the ESP: delete generations that are not needed (`nix-env --delete-generations old --profile /nix/var/nix/profiles/system`), remove files of others, lower --reserve, or use --format type1, which shares kernels and initrds',
  };
}
