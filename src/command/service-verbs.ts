/** The verbs of services, of the settings that they read, and of shells. */
import { CONFIG_COPY_OPTIONS } from '../settings/config-options.ts';
import { CONFINE_OPTIONS } from '../settings/confine-options.ts';
import { UNIT_OPTIONS } from '../settings/units-options.ts';
import type { VerbDeclaration } from './verb.ts';

export const SERVICE_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'config check',
    summary: 'show which settings are in force, where each comes from, and what is wrong',
    example: 'espalier config check --config /etc/espalier.toml',
    load: async () => (await import('./config-check.ts')).configCheck,
  },
  {
    name: 'config copy',
    operands: [{ syntax: '<FILE>', help: 'file to write, which a service reads' }],
    own: CONFIG_COPY_OPTIONS,
    withoutDocument: 'it writes a file and prints nothing',
    summary: 'copy the configuration file for a service, which sees no later changes of it',
    example: 'espalier config copy /run/espalier/watch.toml',
    load: async () => (await import('./config-copy.ts')).configCopy,
  },
  {
    name: 'confine',
    operands: [{ syntax: '<UNIT>', help: 'unit file, or the name of a unit of the system' }],
    own: CONFINE_OPTIONS,
    summary: 'write a drop-in that lets a service see its closure and nothing else',
    example: 'espalier confine nginx.service --package /etc/nginx',
    load: async () => (await import('./confine.ts')).confine,
  },
  {
    name: 'units',
    own: UNIT_OPTIONS,
    summary: 'write the unit files of the watcher, of install for hooks, of verify and of metrics',
    example: 'espalier units --prefix /usr/local --kernel-hooks',
    load: async () => (await import('./units.ts')).units,
  },
  {
    name: 'completion script',
    operands: [{ syntax: '<bash|zsh|fish>', help: 'the shell' }],
    withoutDocument: 'it prints a program for a shell',
    summary: 'print the script by which a shell completes command lines of espalier',
    example: 'espalier completion script bash >/usr/share/bash-completion/completions/espalier',
    load: async () => (await import('./completion.ts')).completionScript,
  },
  {
    name: 'completion words',
    operands: [
      { syntax: '[WORD...]', help: 'the words so far, behind --; the last is being typed' },
    ],
    withoutDocument: 'it prints words for a shell',
    summary: 'print what may stand in place of the last word, which the scripts ask for',
    example: 'espalier completion words -- uki bu',
    load: async (all) => (await import('./completion.ts')).completionWords(all),
  },
];
