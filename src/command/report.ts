/** Outcomes as text for a person, and as a document for a program. */
import { explain } from '../error.ts';
import type { Outcome, PassVerb } from '../pass/outcome.ts';
import type { Removal } from '../plan/elsewhere.ts';
import type { EntryCompanions, Phase, Plan, SpaceForecast, Step } from '../plan/step.ts';
import type { Part, Text } from '../process/styled-text.ts';
import { counted, enumerated, formatSize } from '../quantity.ts';
import { joined } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import type { Report } from '../transaction/report.ts';

/** Version of the `--json` document. It is raised when its readers have to change. */
const DOCUMENT_VERSION = 1;

/**
 * Returns the document of `install --json` and `plan --json`.
 * @param signed paths of the programs that the run signed beside the ESPs
 */
export function toDocument(
  verb: string,
  outcomes: readonly Outcome[],
  warnings: readonly string[],
  signed: readonly string[] = [],
): object {
  return {
    version: DOCUMENT_VERSION,
    verb,
    warnings,
    ...(signed.length > 0 ? { signed } : {}),
    esps: outcomes.map(({ root, plan, format, removals = [], report, failure, firmware = [] }) => ({
      esp: root,
      ...(plan && format ? { format } : {}),
      ...(plan ? { plan } : {}),
      ...(removals.length > 0 ? { removals } : {}),
      ...(report ? { changes: report.changes, written: report.written } : {}),
      ...(firmware.length > 0 ? { firmware } : {}),
      ...(failure
        ? { error: { code: failure.code, message: explain(failure), hint: failure.hint } }
        : {}),
    })),
  };
}

const MARKS: Readonly<Record<Step['kind'], string>> = {
  write: '+',
  replace: '~',
  overwrite: '~',
  remove: '-',
};

/** Returns an outcome as text: every step of a plan with its reason, or what an install did. */
export function renderOutcome(verb: PassVerb, outcome: Outcome): Text {
  const { root, plan, format, removals = [], report, failure, firmware = [] } = outcome;
  if (failure) return [`${root}: `, { text: explain(failure), meaning: 'bad' }];
  if (!plan) return `${root}:`;
  const chosen = format ? [`  format: ${format.name}, because ${printable(format.because)}`] : [];
  const lines = verb === 'plan' ? [...chosen, ...planLines(plan, removals)] : [];
  const left = plan.leftOut.map(
    ({ generation, because }): Text => [
      '  ',
      { text: 'left out', meaning: 'caution' },
      `: generation ${printable(generation)}, ${because}`,
    ],
  );
  const said = firmware.map((text) => `  firmware: ${printable(text)}`);
  const first = [`${root}: `, ...summary(verb, plan, removals, report)];
  return joined([first, ...lines, ...left, ...said], '\n');
}

function summary(
  verb: PassVerb,
  plan: Plan,
  removals: readonly Removal[],
  report: Report | undefined,
): readonly Part[] {
  // `repair` and `gc` do not change what boots next.
  const next: readonly Part[] =
    verb === 'repair' || verb === 'gc'
      ? []
      : ['; boots next: ', { text: plan.default, meaning: 'heading' }];
  const phases = [plan, ...removals].flatMap((each) => each.phases);
  if (phases.length === 0) return ['nothing to do', ...next];
  if (!report) return [counted(phases.length, 'phase'), ...next];
  const count = (kind: string) => report.changes.filter((change) => change.kind === kind).length;
  const written = `${count('written')} written (${formatSize(report.written)})`;
  return [`${written}, ${count('removed')} removed`, ...next];
}

function planLines(
  { phases, companions = [], space, espSpace }: Plan,
  removals: readonly Removal[],
): readonly Text[] {
  return [
    ...phases.flatMap((phase) => phaseLines(phase)),
    ...removals.flatMap(({ root, phases: left }) =>
      left.flatMap((phase) => phaseLines(phase, ` on ${root}`)),
    ),
    ...companionLines(companions),
    `  space: ${forecast(space)}`,
    ...(espSpace ? [`  on the ESP itself: ${forecast(espSpace)}`] : []),
  ];
}

/** What stubs add to entries: those that get the same stand together. */
function companionLines(companions: readonly EntryCompanions[]): string[] {
  const groups = Map.groupBy(companions, ({ files }) => files.join(', '));
  return [...groups].map(
    ([files, group]) =>
      `  added to ${enumerated(group.map(({ entry }) => printable(entry)))}: ${printable(files)}`,
  );
}

function phaseLines({ name, steps }: Phase, where = ''): readonly Text[] {
  const lines = steps.map(({ kind, path, size, because }): Text => {
    const step = `${MARKS[kind]} ${path}`;
    const shown: Part = kind === 'remove' ? { text: step, meaning: 'caution' } : step;
    return ['    ', shown, `  ${formatSize(size)}  because ${because}`];
  });
  return [['  ', { text: `${name}${where}`, meaning: 'heading' }], ...lines];
}

function forecast({ free, peak, after }: SpaceForecast): string {
  return `${formatSize(free)} free, ${formatSize(Math.max(0, peak))} more at the peak, ${formatSize(after)} free afterwards`;
}
