/** The verbs of `kernel`, for the table of verbs. */
import { KERNEL_OPTIONS } from '../settings/kernel-options.ts';
import type { VerbDeclaration } from './verb.ts';

export const KERNEL_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'kernel add',
    operands: [
      { syntax: '<VERSION>', help: 'release of the kernel, as 6.12.9-amd64' },
      { syntax: '[IMAGE]', help: 'the kernel (default: where packages of distributions put it)' },
      {
        syntax: '[INITRD...]',
        help: 'its initrds in their order, microcode first (default: likewise)',
      },
    ],
    own: KERNEL_OPTIONS,
    summary: 'keep an installed kernel as a generation, for install to put on the ESP',
    example: 'espalier kernel add 6.12.9-amd64',
    load: async () => (await import('./kernel.ts')).kernelAdd,
  },
  {
    name: 'kernel remove',
    operands: [{ syntax: '<VERSION>', help: 'release of the kernel' }],
    summary: 'forget the generations of a kernel; install then removes their entries',
    example: 'espalier kernel remove 6.12.8-amd64',
    load: async () => (await import('./kernel.ts')).kernelRemove,
  },
  {
    name: 'kernel sync',
    own: KERNEL_OPTIONS,
    summary: 'keep every kernel that is installed as a generation, and forget the others',
    example: 'espalier kernel sync && espalier install',
    load: async () => (await import('./kernel.ts')).kernelSync,
  },
  {
    name: 'kernel list',
    summary: 'list the kernels that are kept as generations',
    example: 'espalier kernel list',
    load: async () => (await import('./kernel.ts')).kernelList,
  },
];
