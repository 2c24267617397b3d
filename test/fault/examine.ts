/** Every scenario under every fault, as a table. */
import { join } from 'node:path';
import type { Scenario } from '../crash/scenario.ts';
import { isRoot, missingTools } from '../lab/tools.ts';
import { examineOperations } from './port.ts';
import type { Row } from './row.ts';
import { examineCalls } from './strace.ts';

/** A row, and where the faults were made. */
export interface Examined extends Row {
  readonly by: 'Disk port' | 'system calls';
}

/** Where and how scenarios are examined. */
export interface Examination {
  /** A directory for their worlds, best in memory. */
  readonly folder: string;
  /** The program as one file. */
  readonly program: string;
  /** Every fault, or a sample. */
  readonly quick: boolean;
  /** Told each row. */
  readonly say: (text: string) => void;
}

/** Primes, so that a sample meets all kinds of faults. */
const STRIDES = { operations: 23, calls: 97 };

/** Examines scenarios one after the other. Without root or strace the system calls are left out, loudly. */
export async function examineFaults(
  scenarios: readonly Scenario[],
  { folder, program, quick, say }: Examination,
): Promise<readonly Examined[]> {
  const canTrace = isRoot() && missingTools(['strace']).length === 0;
  if (!canTrace) say('no faults in system calls: they need root and strace');
  const rows: Examined[] = [];
  const add = (by: Examined['by'], row: Row) => {
    rows.push({ by, ...row });
    say(
      [`  ${row.scenario}, ${by}: ${row.findings.length} findings`, ...row.findings].join('\n    '),
    );
  };
  for (const [offset, scenario] of scenarios.entries()) {
    const sample = (stride: number) => ({ stride: quick ? stride : 1, offset });
    const world = (name: string) => join(folder, `${name}-${scenario.name}`);
    const operations = sample(STRIDES.operations);
    add('Disk port', await examineOperations(scenario, world('operations'), operations));
    if (!canTrace) continue;
    const calls = sample(STRIDES.calls);
    add('system calls', await examineCalls(scenario, world('calls'), program, calls));
  }
  return rows;
}

/** Returns rows as a table in Markdown, with a sum below. */
export function formatRows(rows: readonly Examined[]): string {
  const sum = (read: (row: Examined) => number) =>
    rows.reduce((total, row) => total + read(row), 0);
  const lines = [
    ['scenario', 'faults in', 'operations', 'faults', 'findings'],
    ['---', '---', '--:', '--:', '--:'],
    ...rows.map(({ scenario, by, operations, faults, findings }) => [
      scenario,
      by,
      operations,
      faults,
      findings.length,
    ]),
    [
      'all',
      '',
      sum(({ operations }) => operations),
      sum(({ faults }) => faults),
      sum(({ findings }) => findings.length),
    ],
  ];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}
