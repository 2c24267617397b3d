/** What `report` says is to be done about an ESP: each finding once, with its next step. Pure. */
import { ENTRIES } from '../esp/layout.ts';
import type { ReportFinding } from '../html/machine-report.ts';
import type { Difference } from '../pass/drift.ts';
import { type Finding, findingsOf } from '../plan/findings.ts';
import { menuOf } from '../plan/menu.ts';
import { isBad, nextOf } from '../plan/menu-order.ts';
import { overrides } from '../plan/overrides.ts';
import { startedPrevious } from '../plan/running-loader.ts';
import { NOT_THERE } from '../plan/schedule.ts';
import { notReached, refusals, startedElsewhere } from '../plan/startable.ts';
import type { EspView } from '../plan/view.ts';
import { counted } from '../quantity.ts';
import type { Problem } from './status-document.ts';
import { CHOOSE, INSTALL, NEVER_UP, OF_OTHERS, REPAIR, ROOM, TOKEN } from './status-findings.ts';
import type { Drifted } from './trouble.ts';

/** An ESP that was replaced lacks every file. */
const MOST_DIFFERENCES = 10;

/** Returns what is to be done about an ESP, what may keep it from starting first. */
export function espFindings(view: EspView, known: Drifted): readonly ReportFinding[] {
  const found = findingsOf(view);
  const files = new Set<string>(found.map(({ path }) => path));
  const { problem, fromProfiles: differences = [], leftOut } = known;
  const all: readonly ReportFinding[] = [
    ...(problem ? [problemFinding(problem)] : []),
    ...found.map((finding) => told(finding, view)),
    ...nextFindings(view),
    ...foreignFindings(view),
    ...differenceFindings(differences.filter(({ path }) => !files.has(path))),
    ...(leftOut.length > 0
      ? [
          {
            weight: 'caution',
            text: `no room for generations ${leftOut.join(', ')}`,
            next: ROOM,
          } as const,
        ]
      : []),
  ];
  return all.toSorted((a, b) => Number(b.weight === 'bad') - Number(a.weight === 'bad'));
}

/** Returns what is said of an ESP that cannot be read, or of one that `install` cannot change. */
export function problemFinding({ message, hint }: Problem): ReportFinding {
  return { weight: 'bad', text: message, next: hint };
}

function told({ path, problem, fatal }: Finding, view: EspView): ReportFinding {
  const weight = fatal ? 'bad' : 'caution';
  return { weight, path, text: problem, next: nextStep({ path, problem }, view) };
}

function nextStep(
  { path, problem }: Pick<Finding, 'path' | 'problem'>,
  view: EspView,
): string | undefined {
  if (refusals(view.firmware).includes(problem)) return 'espalier keys status';
  // What firmware does is in nobody's file: the text says what to do.
  const byFirmware = [...startedElsewhere(view), ...startedPrevious(view), ...notReached(view)];
  if (byFirmware.includes(problem)) return undefined;
  const isMade = path === ENTRIES || view.loaders.some((loader) => loader.path === path);
  const isUnsigned = view.inventory.entries.some(({ unsigned }) => unsigned === problem);
  return isMade || isUnsigned ? INSTALL : REPAIR;
}

/** What is told of the entry that boots next, and of other machines' entries. */
function nextFindings({ inventory, firmware }: EspView): readonly ReportFinding[] {
  const next = nextOf(inventory);
  const neighbours = inventory.entries.filter(({ isNeighbour }) => isNeighbour).length;
  const bad: ReportFinding = {
    weight: 'bad',
    text: NEVER_UP,
    next: CHOOSE,
  };
  const foreign: ReportFinding = {
    weight: 'caution',
    text: `${counted(neighbours, 'entry is', 'entries are')} of another machine`,
    next: TOKEN,
  };
  return [
    ...(next && isBad(next) ? [bad] : []),
    ...(next ? overrides(firmware, next.id, inventory.entries) : []).map(
      (text): ReportFinding => ({ weight: 'caution', text }),
    ),
    ...(neighbours > 0 ? [foreign] : []),
  ];
}

/** Entries of others are not ours to mend, and the menu shows them all the same. */
function foreignFindings(view: EspView): readonly ReportFinding[] {
  const damaged = menuOf(view, { booted: undefined, pinned: [] }).flatMap(
    ({ name, path, damage }) =>
      name === undefined && damage !== undefined ? [{ path, damage }] : [],
  );
  const [first, ...more] = damaged;
  if (first === undefined) return [];
  const others = more.length > 0 ? `, and ${more.length} more entries of others are damaged` : '';
  const text = `${first.damage}${others}`;
  return [{ weight: 'caution', path: first.path, text, next: OF_OTHERS }];
}

function differenceFindings(differences: readonly Difference[]): readonly ReportFinding[] {
  const more = differences.length - MOST_DIFFERENCES;
  const rest: ReportFinding = {
    weight: 'caution',
    text: `${more} more files differ`,
    next: INSTALL,
  };
  return [
    ...differences.slice(0, MOST_DIFFERENCES).map(
      ({ kind, path, because }): ReportFinding => ({
        weight: 'caution',
        path,
        text: because === NOT_THERE ? 'it is not there' : `${kind}: ${because}`,
        next: INSTALL,
      }),
    ),
    ...(more > 0 ? [rest] : []),
  ];
}
