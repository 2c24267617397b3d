/** The verbs of `image`, as rows of the table of verbs. */
import {
  IMAGE_BUILD_OPTIONS,
  IMAGE_CONVERT_OPTIONS,
  IMAGE_EFI_VARS_OPTIONS,
  IMAGE_FINISH_OPTIONS,
  IMAGE_INSPECT_OPTIONS,
} from '../settings/image-options.ts';
import type { VerbDeclaration } from './verb.ts';

export const IMAGE_VERBS: readonly VerbDeclaration[] = [
  {
    name: 'image build',
    operands: [{ syntax: '[DESCRIPTION]', help: 'file that says what the image is, in TOML' }],
    own: IMAGE_BUILD_OPTIONS,
    summary: 'make a whole disk: partitions, file systems, hash trees and the ESP',
    example: 'espalier image build --definitions repart.d --output disk.raw',
    load: async () => (await import('./image-build.ts')).imageBuild,
  },
  {
    name: 'image finish',
    operands: [
      { syntax: '<IMAGE>', help: 'image that was built with --defer esp' },
      { syntax: '<UKI>', help: 'the image that boots it, signed' },
    ],
    own: IMAGE_FINISH_OPTIONS,
    summary: 'put a UKI onto the ESP of a disk image, if it boots the very file systems in it',
    example: 'espalier image finish stage.raw nixos_1.efi --output disk.raw',
    load: async () => (await import('./image-finish.ts')).imageFinish,
  },
  {
    name: 'image convert',
    operands: [
      {
        syntax: '<IMAGE>',
        help: 'disk image: raw, qcow2, VDI or VHD, packed by zstd, gzip or xz as well',
      },
      { syntax: '<OUTPUT>', help: 'where it goes; .zst, .gz or .xz makes it a compressed stream' },
    ],
    own: IMAGE_CONVERT_OPTIONS,
    summary: 'write a disk image in another format, the same bytes each time',
    example: 'espalier image convert disk.raw disk.qcow2 --format qcow2-compressed',
    load: async () => (await import('./image-convert.ts')).imageConvert,
  },
  {
    name: 'image inspect',
    operands: [
      {
        syntax: '<IMAGE>',
        help: 'disk image: raw, qcow2, VDI or VHD, packed by zstd, gzip or xz as well',
      },
    ],
    own: IMAGE_INSPECT_OPTIONS,
    summary: 'show the partitions of a disk image, what they hold, and what would boot',
    example: 'espalier image inspect --deep disk.qcow2',
    load: async () => (await import('./image-inspect.ts')).imageInspect,
  },
  {
    name: 'image efi-vars',
    operands: [{ syntax: '<TEMPLATE>', help: 'variables of the firmware, as OVMF_VARS_4M.fd' }],
    own: IMAGE_EFI_VARS_OPTIONS,
    summary: 'make the file of EFI variables with which a virtual machine boots an image',
    example:
      'espalier image efi-vars OVMF_VARS_4M.fd --keys /var/lib/sbctl --image disk.raw --output vars.fd',
    load: async () => (await import('./image-efi-vars.ts')).imageEfiVars,
  },
];
