/** The verbs that change EFI variables, for the table of verbs. */
import { CLEAR, ONCE, REGISTER_OPTIONS } from '../settings/firmware-options.ts';
import type { Operand, VerbDeclaration } from './verb.ts';

const ENTRY: Operand = {
  syntax: '[GENERATION]',
  help: 'its number, the release of an installed kernel, or the ID of any boot entry',
};

export const FIRMWARE_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'firmware list',
    summary: 'list the boot entries of firmware, and what each of them starts',
    example: 'espalier firmware list',
    load: async () => (await import('./firmware.ts')).firmwareList,
  },
  {
    name: 'firmware register',
    own: REGISTER_OPTIONS,
    summary: 'have firmware start the boot loader on each ESP',
    example: 'espalier firmware register --first',
    load: async () => (await import('./firmware.ts')).firmwareRegister,
  },
  {
    name: 'firmware forget',
    operands: [
      { syntax: '[ENTRY]', help: 'one entry, as Boot0003 (default: those of our boot loaders)' },
    ],
    summary: 'remove boot entries of firmware',
    example: 'espalier firmware forget Boot0003',
    load: async () => (await import('./firmware.ts')).firmwareForget,
  },
  {
    name: 'entry next',
    operands: [ENTRY],
    own: [CLEAR],
    summary: 'have the boot loader start an entry at the next start, and only then',
    example: 'espalier entry next 42',
    load: async () => (await import('./entry.ts')).entryNext,
  },
  {
    name: 'entry default',
    operands: [ENTRY],
    own: [CLEAR],
    summary: 'have the boot loader start an entry from now on, whatever is installed',
    example: 'espalier entry default 41',
    load: async () => (await import('./entry.ts')).entryDefault,
  },
  {
    name: 'loader timeout',
    operands: [{ syntax: '[SECONDS]', help: 'seconds, menu-force, menu-hidden or menu-disabled' }],
    own: [CLEAR, ONCE],
    summary: 'set how long the boot loader shows its menu, whatever loader.conf says',
    example: 'espalier loader timeout 10 --once',
    load: async () => (await import('./entry.ts')).loaderTimeout,
  },
];
