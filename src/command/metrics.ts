/** The status as metrics for a node_exporter text file (Prometheus §Text-based format). */
import type { EspStatus, Status } from './status.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Its value for one ESP, by further label; undefined where nothing can be told. */
  readonly values: (esp: EspStatus, status: Status) => Readonly<Record<string, number | undefined>>;
  /** Name of the further label; absent when there is but one value. */
  readonly label?: string;
}

const METRICS: readonly Metric[] = [
  {
    name: 'espalier_esp_bytes',
    help: 'Space on the ESP.',
    label: 'kind',
    values: ({ space }) => ({ total: space.total, free: space.free, ours: space.ours }),
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
];

function flag(agrees: boolean | undefined): number | undefined {
  return agrees === undefined ? undefined : Number(!agrees);
}

/** Returns the text of a metrics file. */
export function formatMetrics(status: Status): string {
  return METRICS.flatMap(({ name, help, label, values }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...status.esps.flatMap((esp) =>
      Object.entries(values(esp, status)).flatMap(([key, value]) => {
        const further = label === undefined ? '' : `,${label}="${key}"`;
        return value === undefined ? [] : [`${name}{esp="${escaped(esp.esp)}"${further}} ${value}`];
      }),
    ),
  ]).join('\n');
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
