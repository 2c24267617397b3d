/** What is to be done about a machine: each finding once, with its next step. `status` and `report` tell it. Pure. */
import { ENTRIES } from '../esp/layout.ts';
import type { Finding } from '../html/machine-report.ts';
import type { Difference } from '../pass/drift.ts';
import { type Finding as FileFinding, fileFindings, firmwareFindings } from '../plan/findings.ts';
import { type MenuEntry, menuOf } from '../plan/menu.ts';
import { isBad, nextOf } from '../plan/menu-order.ts';
import { overrides } from '../plan/overrides.ts';
import { NOT_THERE } from '../plan/schedule.ts';
import { refusals } from '../plan/startable.ts';
import type { EspView } from '../plan/view.ts';
import { counted } from '../quantity.ts';
import type { BrokenGeneration } from './broken.ts';
import type { Problem } from './status-document.ts';
import type { Known } from './trouble.ts';

const INSTALL = 'espalier install';
const REPAIR = 'espalier repair';
const CHOOSE = 'espalier install with the path of a system that is known to boot';
const OF_OTHERS = 'whoever put it there may mend it';
const TOKEN = 'give each machine a name of its own with --entry-token';

/** Returns what is to be done that concerns no ESP in particular. */
export function machineFindings(broken: readonly BrokenGeneration[]): readonly Finding[] {
  // What is on the ESP boots without it.
  return broken.map(({ generation, message, hint }) => ({
    weight: 'caution',
    text: `generation ${generation} is broken: ${message}`,
    next: hint,
  }));
}

/** Returns what is said of an ESP that cannot be read, or of one that `install` cannot change. */
export function problemFinding({ message, hint }: Problem): Finding {
  return { weight: 'bad', text: message, next: hint };
}

/** Returns what is to be done about an ESP, what may keep it from starting first. */
export function espFindings(view: EspView, known: Known): readonly Finding[] {
  const all: readonly Finding[] = [
    ...(known.problem ? [problemFinding(known.problem)] : []),
    ...(isEmpty(view) ? emptyFindings(view) : contentFindings(view, known)),
  ];
  return all.toSorted((a, b) => Number(b.weight === 'bad') - Number(a.weight === 'bad'));
}

function isEmpty({ inventory, loaders }: EspView): boolean {
  const { entries } = inventory;
  return entries.length === 0 && loaders.every(({ installed }) => installed.kind === 'absent');
}

/** That every file is missing is one finding; what firmware says holds for what comes, too. */
function emptyFindings(view: EspView): readonly Finding[] {
  return [...ofFirmware(view), { weight: 'bad', text: 'nothing is installed here', next: INSTALL }];
}

/** What firmware does is in nobody's file. Where it says itself what to do, there is no next step. */
function ofFirmware(view: EspView): readonly Finding[] {
  const refused = refusals(view.firmware);
  return firmwareFindings(view).map(({ problem: text, fatal }) => ({
    weight: weightOf(fatal),
    text,
    next: refused.includes(text) ? 'espalier keys status' : undefined,
  }));
}

function weightOf(fatal: boolean): Finding['weight'] {
  return fatal ? 'bad' : 'caution';
}

function contentFindings(view: EspView, known: Known): readonly Finding[] {
  const { fromProfiles, fromPrimary, nextIsCurrent } = known;
  const menu = menuOf(view, { booted: undefined, pinned: [] });
  const found = fileFindings(view).map((finding): Finding => {
    const { path, problem: text, fatal } = finding;
    return { weight: weightOf(fatal), path, text, next: nextStep(finding, view, menu) };
  });
  const told = new Set(found.map(({ path }) => path));
  const isNew = ({ path }: { readonly path: string }) => !told.has(path);
  return [
    ...ofFirmware(view),
    ...found,
    ...nextFindings(view),
    ...when(nextIsCurrent === false, 'what boots next is NOT what the profile says', INSTALL),
    // What fits is decided for each ESP by itself: a smaller mirror differs from the primary as it should.
    ...(fromProfiles === undefined
      ? differenceFindings('the primary ESP', fromPrimary?.filter(isNew))
      : differenceFindings('what the profiles want', fromProfiles.filter(isNew))),
  ];
}

function when(holds: boolean, text: string, next?: string): readonly Finding[] {
  return holds ? [{ weight: 'caution', text, next }] : [];
}

function nextStep(
  { path, problem }: FileFinding,
  { loaders, inventory }: EspView,
  menu: readonly MenuEntry[],
): string | undefined {
  // A directory in the place of a file is for a person to move away.
  if (inventory.subdirectories?.some((taken) => taken === path)) return undefined;
  const isMade = path === ENTRIES || loaders.some((loader) => loader.path === path);
  const entry = menu.find((each) => each.path === path);
  if (entry?.damage === problem && entry.name === undefined) return OF_OTHERS;
  return isMade || entry?.unsigned === problem ? INSTALL : REPAIR;
}

/** What is told of the entry that boots next, and of other machines' entries. */
function nextFindings({ inventory, firmware }: EspView): readonly Finding[] {
  const next = nextOf(inventory);
  const neighbours = inventory.entries.filter(({ isNeighbour }) => isNeighbour).length;
  const neverUp = 'what boots next was tried as often as it may be, and never came up';
  return [
    ...(next && isBad(next) ? [{ weight: 'bad', text: neverUp, next: CHOOSE } as const] : []),
    ...(next ? overrides(firmware, next.id, inventory.entries) : []).map(
      (text): Finding => ({ weight: 'caution', text }),
    ),
    ...when(
      neighbours > 0,
      `${counted(neighbours, 'entry is', 'entries are')} of another machine`,
      TOKEN,
    ),
  ];
}

function differenceFindings(
  from: string,
  differences: readonly Difference[] = [],
): readonly Finding[] {
  if (differences.length === 0) return [];
  const details = differences.map(({ kind, path, because }) =>
    because === NOT_THERE ? `${kind}: ${path}` : `${kind}: ${path} (${because})`,
  );
  const text = `it differs from ${from} in ${counted(differences.length, 'file')}`;
  return [{ weight: 'caution', text, details, next: INSTALL }];
}
