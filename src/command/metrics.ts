/** Formats the status as metrics for a node_exporter text file (Prometheus §Text-based format). */
import { DIFFERENCES, type Difference } from '../pass/drift.ts';
import type { EspStatus, SeenEsp, Status } from './status-document.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Returns its values for one ESP, by the further label; undefined when they are not known. */
  readonly values: (esp: SeenEsp, status: Status) => Values;
  /** Name of the further label; absent when there is one value. */
  readonly label?: string;
}

type Values = Readonly<Record<string, number | undefined>>;

const METRICS: readonly Metric[] = [
  {
    name: 'espalier_esp_bytes',
    help: 'Space on the ESP.',
    label: 'kind',
    values: ({ space, espSpace }) => espSpace ?? bytesOf(space),
  },
  {
    name: 'espalier_xbootldr_bytes',
    help: 'Space on the XBOOTLDR partition, where there is one.',
    label: 'kind',
    values: ({ space, espSpace }) => (espSpace ? bytesOf(space) : {}),
  },
  {
    name: 'espalier_entries',
    help: 'Boot entries on the ESP.',
    values: ({ entries }) => ({ '': entries }),
  },
  {
    name: 'espalier_entries_damaged',
    help: 'Boot entries that are damaged, as far as names, sizes and headers tell.',
    values: ({ damaged }) => ({ '': damaged }),
  },
  {
    name: 'espalier_entries_bad',
    help: 'Boot entries that were tried as often as they might be, and did not come up.',
    values: ({ bad }) => ({ '': bad }),
  },
  {
    name: 'espalier_generations_broken',
    help: 'Generations that cannot be installed: every install warns of them.',
    values: (_, { broken = [] }) => ({ '': broken.length }),
  },
  {
    name: 'espalier_entries_on_trial',
    help: 'Boot entries that are counted, and may be tried again.',
    values: ({ onTrial }) => ({ '': onTrial }),
  },
  {
    name: 'espalier_next_boot_tries_left',
    help: 'How often what boots next may still be tried, where that is counted.',
    values: ({ nextTriesLeft }) => ({ '': nextTriesLeft }),
  },
  {
    name: 'espalier_loaders_damaged',
    help: 'Copies of the boot loader that would not start.',
    values: ({ loaders }) => ({
      '': loaders.filter(({ problem }) => problem !== undefined).length,
    }),
  },
  {
    name: 'espalier_drift',
    help: '1 where two disagree that should be the same system.',
    label: 'between',
    values: ({ nextIsCurrent, nextIsBooted }, { bootedIsCurrent }) => ({
      'profile and next boot': flag(nextIsCurrent),
      'running and next boot': flag(nextIsBooted),
      'running and profile': flag(bootedIsCurrent),
    }),
  },
  {
    name: 'espalier_differs_from_profiles',
    help: 'Files that are not as the profiles want them.',
    label: 'kind',
    values: ({ fromProfiles }) => counts(fromProfiles),
  },
  {
    name: 'espalier_differs_from_primary',
    help: 'Files of a mirror that are not as on the primary ESP.',
    label: 'kind',
    values: ({ fromPrimary }) => counts(fromPrimary),
  },
];

function counts(differences: readonly Difference[] | undefined): Values {
  const count = (kind: Difference['kind']) =>
    differences?.filter((difference) => difference.kind === kind).length;
  return Object.fromEntries(DIFFERENCES.map((kind) => [kind, count(kind)]));
}

function bytesOf({ total, free, ours }: SeenEsp['space']): Values {
  return { total, free, ours };
}

function flag(agrees: boolean | undefined): number | undefined {
  return agrees === undefined ? undefined : Number(!agrees);
}

/** Returns the text of a metrics file. */
export function formatMetrics(status: Status): string {
  const seen = status.esps.filter((esp) => 'entries' in esp);
  const usable = status.esps.map((esp) => line(USABLE.name, esp, '', Number(!esp.problem)));
  return [
    ...heading(USABLE),
    ...usable,
    ...brokenGenerations(status),
    ...METRICS.flatMap(({ name, help, label, values }) => [
      ...heading({ name, help }),
      ...seen.flatMap((esp) =>
        Object.entries(values(esp, status)).flatMap(([key, value]) => {
          const further = label === undefined ? '' : `,${label}="${key}"`;
          return value === undefined ? [] : [line(name, esp, further, value)];
        }),
      ),
    ]),
  ].join('\n');
}

/** The one metric of an ESP that cannot be read. */
const USABLE = {
  name: 'espalier_esp_usable',
  help: '0 where an ESP is not mounted, read-only or full, or the profiles want what cannot be.',
};

/** The one metric that is the machine's, whatever ESPs it has. */
const BROKEN = {
  name: 'espalier_generation_broken',
  help: '1 for each generation that cannot be installed, with what to do about it.',
};
function brokenGenerations({ broken = [] }: Status): string[] {
  return [
    ...(broken.length > 0 ? heading(BROKEN) : []),
    ...broken.map(
      ({ generation, code, hint = '' }) =>
        `${BROKEN.name}{generation="${escaped(generation)}",code="${code}",hint="${escaped(hint)}"} 1`,
    ),
  ];
}

function heading({ name, help }: Pick<Metric, 'name' | 'help'>): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`];
}

function line(name: string, { esp }: EspStatus, further: string, value: number): string {
  return `${name}{esp="${escaped(esp)}"${further}} ${value}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
