/** What is to be done about a machine, as `status` tells it: each finding with its next step. Pure. */

import type { Difference } from '../pass/drift.ts';
import type { LoaderStatus } from '../plan/loader-status.ts';
import type { MenuEntry } from '../plan/menu.ts';
import { NOT_THERE } from '../plan/schedule.ts';
import { counted } from '../quantity.ts';
import type { SeenEsp, Status } from './status-document.ts';

/** One ESP as the page shows it: what the document says, and what only a person is told. */
export interface ShownEsp {
  readonly status: SeenEsp;
  readonly menu: readonly MenuEntry[];
  /** In bytes. */
  readonly reserve: number;
  /** Why firmware starts nothing of this ESP. */
  readonly obstacles: readonly string[];
  /** The two copies of the boot loader; the previous one starts only by an entry of firmware. */
  readonly copies: readonly LoaderStatus[];
  /** Whether firmware refuses what is not signed. */
  readonly isSecureBoot: boolean;
  /** EFI variables by which another entry boots than the one that files name. */
  readonly overrides: readonly string[];
}

/** Something to be done. */
export interface Finding {
  readonly weight: 'bad' | 'caution';
  readonly text: string;
  /** What is meant in particular. */
  readonly details?: readonly string[];
  /** What to do about it; absent where the text says it. */
  readonly next?: string | undefined;
}

/** Damaged, or ours without the signature that firmware asks for. */
export function isWanting({ damage, unsigned, own }: MenuEntry): boolean {
  return own && (damage ?? unsigned) !== undefined;
}

/** Returns what is to be done that concerns no ESP in particular. */
export function machineFindings({ broken = [] }: Pick<Status, 'broken'>): readonly Finding[] {
  return broken.map(({ generation, message, hint }) => ({
    weight: 'bad',
    text: `generation ${generation} is broken: ${message}`,
    next: hint,
  }));
}

/** Returns what is to be done about an ESP, what keeps it from starting first. */
export function espFindings(shown: ShownEsp): readonly Finding[] {
  const { problem, firmware = [] } = shown.status;
  const elsewhere = new Set([problem?.message, ...shown.overrides]);
  const told = firmware.filter((text) => !elsewhere.has(text));
  return [
    ...when(problem !== undefined, 'bad', problem?.message ?? '', problem?.hint),
    ...told.map((text): Finding => ({ weight: 'bad', text, next: stepForFirmware(text) })),
    ...(isEmpty(shown.status) ? [EMPTY] : contentFindings(shown)),
  ];
}

function isEmpty({ loaders, entries }: SeenEsp): boolean {
  return entries === 0 && loaders.every(({ is }) => is === 'absent');
}

function contentFindings(shown: ShownEsp): readonly Finding[] {
  const { status, overrides } = shown;
  const { nextIsBad, nextIsCurrent, leftOut, neighbours = 0, fromProfiles, fromPrimary } = status;
  return [
    ...loaderFindings(status),
    ...when(nextIsBad, 'bad', NEVER_UP, CHOOSE),
    ...damageFindings(shown),
    ...when(nextIsCurrent === false, 'caution', NOT_CURRENT, INSTALL),
    ...overrides.map((text): Finding => ({ weight: 'caution', text })),
    ...when(leftOut.length > 0, 'caution', `no room for generations ${leftOut.join(', ')}`, ROOM),
    ...when(
      neighbours > 0,
      'caution',
      `${counted(neighbours, 'entry is', 'entries are')} of another machine`,
      TOKEN,
    ),
    ...differenceFindings('what the profiles want', unlessTold(fromProfiles, shown)),
    ...differenceFindings('the primary ESP', unlessTold(fromPrimary, shown)),
  ];
}

export const NEVER_UP = 'what boots next was tried as often as it may be, and never came up';
const NOT_CURRENT = 'what boots next is NOT what the profile says';
export const INSTALL = 'espalier install';
export const REPAIR = 'espalier repair';
export const CHOOSE = 'espalier install with the path of a system that is known to boot';
export const OF_OTHERS = 'whoever put it there may mend it';
export const ROOM = 'espalier gc frees what nothing needs; a lower --limit keeps fewer generations';
export const TOKEN = 'give each machine a name of its own with --entry-token';

const EMPTY: Finding = { weight: 'bad', text: 'nothing is installed here', next: INSTALL };

function when(
  holds: boolean,
  weight: Finding['weight'],
  text: string,
  next: string | undefined,
): readonly Finding[] {
  return holds ? [{ weight, text, next }] : [];
}

/** What firmware says of partitions and boot entries says what to do, too. */
function stepForFirmware(text: string): string | undefined {
  return text.startsWith('Secure Boot') ? 'espalier keys status' : undefined;
}

function loaderFindings({ loaders }: SeenEsp): readonly Finding[] {
  return loaders.flatMap(({ path, problem }) =>
    when(problem !== undefined, 'bad', `${path}: ${problem}`, INSTALL),
  );
}

/** Of more than so many entries each is only a detail: a crowd of them would fill the screen. */
const FEW = 5;

function damageFindings({ menu }: ShownEsp): readonly Finding[] {
  const wanting = menu.filter(isWanting);
  const [ours, others] = [wanting.filter(isOurs), wanting.filter((entry) => !isOurs(entry))];
  return [
    ...entryFindings('bad', ours, ({ damage }) => (damage === undefined ? INSTALL : REPAIR)),
    ...entryFindings('caution', others, () => OF_OTHERS),
  ];
}

function isOurs({ name }: MenuEntry): boolean {
  return name !== undefined;
}

function entryFindings(
  weight: Finding['weight'],
  entries: readonly MenuEntry[],
  stepFor: (entry: MenuEntry) => string,
): readonly Finding[] {
  const told = entries.map((entry) => ({ text: damageOf(entry), next: stepFor(entry) }));
  const [first] = told;
  if (first === undefined || told.length <= FEW) return told.map((each) => ({ weight, ...each }));
  const details = told.map(({ text }) => text);
  return [
    {
      weight,
      text: `${counted(told.length, 'entry does', 'entries do')} not boot`,
      details,
      next: first.next,
    },
  ];
}

function damageOf({ name, title, id, damage, unsigned }: MenuEntry): string {
  const what = name === undefined ? (title ?? id) : `generation ${name}`;
  return damage === undefined
    ? `${what} is not signed: ${unsigned}`
    : `${what} is damaged: ${damage}`;
}

/** Leaves out what is told of an entry or a loader already. */
function unlessTold(
  differences: readonly Difference[] | undefined,
  { menu, status }: ShownEsp,
): readonly Difference[] {
  const damaged = new Set(menu.filter(isWanting).map(({ path }) => path));
  const broken = new Set(status.loaders.flatMap(({ path, problem }) => (problem ? [path] : [])));
  const isTold = ({ kind, path }: Difference) =>
    (kind === 'damaged' && damaged.has(path)) || (kind === 'loader' && broken.has(path));
  return (differences ?? []).filter((difference) => !isTold(difference));
}

function differenceFindings(from: string, differences: readonly Difference[]): readonly Finding[] {
  if (differences.length === 0) return [];
  const files = `${differences.length} ${differences.length === 1 ? 'file' : 'files'}`;
  return [
    {
      weight: 'caution',
      text: `it differs from ${from} in ${files}`,
      details: differences.map(({ kind, path, because }) =>
        because === NOT_THERE ? `${kind}: ${path}` : `${kind}: ${path} (${because})`,
      ),
      next: INSTALL,
    },
  ];
}
