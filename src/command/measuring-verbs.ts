/** The verbs that tell what a TPM measures. */
import { MEASURE_OPTIONS } from '../settings/measure-options.ts';
import type { Option } from '../settings/option.ts';
import type { VerbDeclaration } from './verb.ts';

const PCRLOCK: Option = {
  name: 'pcrlock',
  value: 'FILE',
  help: 'file to write the records to (default: standard output)',
};

export const MEASURING_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'measure',
    operands: [
      {
        syntax: '<IMAGE|GENERATION...>',
        help: 'an image; or what is on the ESP: the number of a generation, or an entry',
      },
    ],
    own: MEASURE_OPTIONS,
    summary: 'predict PCR 11 and 12 of images, as systemd-measure does, and what extends PCR 4',
    example: 'espalier measure 42 --phase enter-initrd --bank sha256',
    load: async () => (await import('./measure.ts')).measure,
  },
  {
    name: 'pcrlock lock-pe',
    operands: [{ syntax: '<FILE>', help: 'EFI program: boot loader, image or kernel' }],
    own: [PCRLOCK],
    summary: 'print what the firmware measures when it starts FILE, as systemd-pcrlock does',
    example: 'espalier pcrlock lock-pe /efi/EFI/systemd/systemd-bootx64.efi',
    load: async () => (await import('./pcrlock.ts')).pcrlockPe,
  },
  {
    name: 'pcrlock lock-uki',
    operands: [{ syntax: '<IMAGE>', help: 'Unified Kernel Image of one profile' }],
    own: [PCRLOCK],
    summary: 'print what firmware and stub measure when IMAGE starts, as systemd-pcrlock does',
    example: 'espalier pcrlock lock-uki nixos.efi --pcrlock 650-kernel.pcrlock',
    load: async () => (await import('./pcrlock.ts')).pcrlockUki,
  },
];
