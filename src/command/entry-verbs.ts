/** The verbs of boot entries. */
import { ONCE } from '../settings/firmware-options.ts';
import { SIGNING_REQUEST } from '../settings/keys-options.ts';
import type { Option } from '../settings/option.ts';
import { WATCH_OPTIONS } from '../settings/watch-options.ts';
import type { Operand, VerbDeclaration } from './verb.ts';

const TOPLEVEL: Operand = {
  syntax: '[TOPLEVEL]',
  help: 'system to boot next (default: the profile’s current one)',
};

const GENERATION: Operand = {
  syntax: '<GENERATION>',
  help: 'its number, PROFILE-NUMBER, or a path to it',
};

/** A flag alone: whoever types it says that these programs may run here, and no configuration does. */
const RUN_SECRETS: Option = {
  name: 'run-secrets',
  help: 'also run programs that add secrets to initrds during plan, and with --root those of that system',
};

export const ENTRY_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'install',
    operands: [TOPLEVEL],
    own: [ONCE, RUN_SECRETS],
    summary: 'bring the ESP in line with the profiles and make TOPLEVEL boot next',
    example: 'espalier install --certificate db.pem --private-key db.key --limit 10',
    load: async () => (await import('./install.ts')).install,
  },
  {
    name: 'plan',
    operands: [TOPLEVEL],
    own: [SIGNING_REQUEST, RUN_SECRETS],
    runsNothing: true,
    summary: 'print what install would do, and do nothing',
    example: 'espalier plan --allow-unsigned --json',
    load: async () => (await import('./install.ts')).plan,
  },
  {
    name: 'watch',
    own: [...WATCH_OPTIONS, RUN_SECRETS],
    withoutDocument: 'its log tells what it does, with --log-format json as JSON',
    summary: 'keep the ESP in line with the profiles, as a service',
    example: 'espalier watch --certificate db.pem --private-key db.key --rescan 600',
    load: async () => (await import('./watch.ts')).watch,
  },
  {
    name: 'list',
    own: [
      {
        name: 'long',
        help: 'also file names and what each entry gets besides its image, and nothing cut to fit the terminal; -v does the same',
      },
    ],
    summary: 'list the boot entries on the ESP',
    example: 'espalier list --esp /boot',
    load: async () => (await import('./list.ts')).list,
  },
  {
    name: 'status',
    own: [
      { name: 'metrics', help: 'print metrics for a text file of node_exporter' },
      { name: 'output', value: 'FILE', help: 'file for --metrics, written as a whole' },
    ],
    summary: 'show whether it starts and what, what is to be done, and how full it is',
    example: 'espalier status --json',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'report',
    own: [
      {
        name: 'output',
        value: 'FILE',
        help: 'file for the page, written as a whole (default: standard output)',
      },
    ],
    summary: 'make a page for a browser: the space, the menu, generations, findings, signatures',
    example: 'espalier report --output report.html',
    load: async () => (await import('./machine-report.ts')).report,
  },
  {
    name: 'verify',
    operands: [{ syntax: '[FILE...]', help: 'EFI programs whose signatures to list instead' }],
    own: [{ name: 'deep', help: 'read every byte and check every digest and signature' }],
    summary: 'check what lies on the ESP against its names, or the signatures of a program',
    example: 'espalier verify --deep',
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'repair',
    own: [RUN_SECRETS],
    summary: 'read every byte on the ESP, and rewrite or remove what fails',
    example: 'espalier repair --certificate db.pem --private-key db.key',
    load: async () => (await import('./install.ts')).repair,
  },
  {
    name: 'gc',
    own: [RUN_SECRETS],
    summary: 'remove from the ESP what no generation needs, and write nothing',
    example: 'espalier gc --limit 5',
    load: async () => (await import('./install.ts')).gc,
  },
  {
    name: 'pin',
    operands: [GENERATION],
    summary: 'keep a generation on the ESP whatever the limit is',
    example: 'espalier pin 42',
    load: async () => (await import('./pin.ts')).pin,
  },
  {
    name: 'unpin',
    operands: [GENERATION],
    summary: 'give a pinned generation back to the limit',
    example: 'espalier unpin 42',
    load: async () => (await import('./pin.ts')).unpin,
  },
];
