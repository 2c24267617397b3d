/** The verbs of keys and signatures. */
import {
  KEYS_ENROLL_OPTIONS,
  KEYS_GENERATE_OPTIONS,
  SIGN_OPTIONS,
} from '../settings/keys-options.ts';
import type { Operand, VerbDeclaration } from './verb.ts';

const KEYS: Operand = { syntax: '[DIR]', help: 'directory of the keys (default: /var/lib/sbctl)' };

export const KEY_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'keys generate',
    operands: [KEYS],
    own: KEYS_GENERATE_OPTIONS,
    summary: 'make the keys of Secure Boot, PK, KEK and db, where there are none',
    example: 'espalier keys generate',
    load: async () => (await import('./keys-generate.ts')).keysGenerate,
  },
  {
    name: 'keys enroll',
    operands: [KEYS],
    own: KEYS_ENROLL_OPTIONS,
    summary: 'put keys on the ESP, for systemd-boot to enrol them in firmware',
    example: 'espalier keys enroll --microsoft /usr/share/secureboot/microsoft',
    load: async () => (await import('./keys-enroll.ts')).keysEnroll,
  },
  {
    name: 'keys status',
    operands: [KEYS],
    summary: 'show which keys firmware, the key directory and the ESP have, and whether they agree',
    example: 'espalier keys status --json',
    load: async () => (await import('./keys-status.ts')).keysStatus,
  },
  {
    name: 'sign',
    operands: [{ syntax: '[FILE...]', help: 'EFI programs, as those of fwupd or a memory test' }],
    own: SIGN_OPTIONS,
    summary: 'sign EFI programs, where they lie or to another file',
    example: 'espalier sign fwupdx64.efi --output fwupdx64.efi.signed',
    load: async () => (await import('./sign.ts')).sign,
  },
];
