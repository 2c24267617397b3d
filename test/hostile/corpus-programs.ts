/** Programs that were made to break whoever reads their headers. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import {
  type APe,
  aCertificateEntry,
  aPe,
  concat,
  countingBytes,
  OPTIONAL_HEADER,
  PE_OFFSET,
} from '../pe/a-pe.ts';
import { FIXED, type HostileCase, NO_DIGEST } from './case.ts';

const SECTIONS = OPTIONAL_HEADER + 240;
const DIRECTORIES = OPTIONAL_HEADER + 112;
const text = (value: string) => new TextEncoder().encode(value);

/** What differs from a whole program, field by field: offset in bytes, width in bytes, value. */
type Field = readonly [offset: number, width: 2 | 4, value: number];

function crafted(fields: readonly Field[], options: APe = SHOWN): Uint8Array {
  const bytes = aPe(options);
  const view = new DataView(bytes.buffer);
  for (const [offset, width, value] of fields) {
    if (width === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return bytes;
}

function withSections(
  ...sections: readonly (readonly [string, string | Uint8Array])[]
): Uint8Array {
  return aPe({
    sizeOfHeaders: 0x1000,
    sections: sections.map(([name, content]) => ({
      name,
      bytes: typeof content === 'string' ? text(content) : content,
    })),
  });
}

const OSREL = 'ID=evil\nPRETTY_NAME=Evil\nVERSION_ID=1\n';
/** An image as a boot menu would list it. */
const SHOWN: APe = {
  sections: [
    { name: '.osrel', bytes: text(OSREL) },
    { name: '.cmdline', bytes: text('init=/evil') },
    { name: '.linux', bytes: countingBytes(700) },
    { name: '.sdmagic', bytes: text('#### LoaderInfo: systemd-boot 257 ####') },
  ],
};
const field = (section: number, offset: number) => SECTIONS + 40 * section + offset;

function withTable(table: Uint8Array): Uint8Array {
  return aPe({ ...SHOWN, certificateTable: table });
}

function entryOf(length: number): Uint8Array {
  const bytes = new Uint8Array(64);
  new DataView(bytes.buffer).setUint32(0, length, true);
  new DataView(bytes.buffer).setUint32(4, 0x0002_0200, true);
  return bytes;
}

const marker = (version: string) => `#### LoaderInfo: systemd-boot ${version} ####`;

/** Crafted programs by what is wrong with them. */
export const PROGRAMS: Readonly<Record<string, () => Uint8Array>> = {
  'nothing at all': () => new Uint8Array(),
  'one byte': () => text('M'),
  'two letters': () => text('MZ'),
  'no program': () => text('#!/bin/sh\nexit 0\n'),
  'random bytes': () => countingBytes(5000),
  'a header that starts at itself': () => crafted([[0x3c, 4, 0]]),
  'a header that starts at its own pointer': () => crafted([[0x3c, 4, 0x3c]]),
  'a header at the end of the file': () => crafted([[0x3c, 4, aPe(SHOWN).length - 4]]),
  'a header past the end': () => crafted([[0x3c, 4, 0xffff_ffff]]),
  'a header at an odd place, a megabyte in': () => {
    const bytes = new Uint8Array(3 * 1024 * 1024);
    const image = aPe(SHOWN);
    bytes.set(image);
    bytes.set(image.subarray(PE_OFFSET, 0x1000), 1024 * 1024 - 20_481);
    new DataView(bytes.buffer).setUint32(0x3c, 1024 * 1024 - 20_481, true);
    return bytes;
  },
  '65535 sections': () => crafted([[PE_OFFSET + 6, 2, 65_535]]),
  'no sections': () => crafted([[PE_OFFSET + 6, 2, 0]]),
  '512 sections that are all the same': () => {
    const row = { name: '.osrel', bytes: text(OSREL) };
    return aPe({ sections: Array.from({ length: 512 }, () => row), sizeOfHeaders: 0x6000 });
  },
  'an optional header of no size': () => crafted([[PE_OFFSET + 20, 2, 0]]),
  'an optional header of 64 KiB': () => crafted([[PE_OFFSET + 20, 2, 65_535]]),
  'an unknown optional header': () => crafted([[OPTIONAL_HEADER, 2, 0x30b]]),
  'four billion data directories': () => crafted([[DIRECTORIES - 4, 4, 0xffff_ffff]]),
  'headers of no size': () => crafted([[OPTIONAL_HEADER + 60, 4, 0]]),
  'headers past the end': () => crafted([[OPTIONAL_HEADER + 60, 4, 0xffff_ffff]]),
  'alignments of zero': () =>
    crafted([
      [OPTIONAL_HEADER + 32, 4, 0],
      [OPTIONAL_HEADER + 36, 4, 0],
    ]),
  'alignments of four billion': () =>
    crafted([
      [OPTIONAL_HEADER + 32, 4, 0xffff_ffff],
      [OPTIONAL_HEADER + 36, 4, 0xffff_ffff],
    ]),
  'sections that overlap': () => crafted([[field(1, 20), 4, 0x400]]),
  'a section in the headers': () => crafted([[field(0, 20), 4, 0]]),
  'a huge VirtualSize': () =>
    crafted([
      [field(0, 8), 4, 0xffff_ffff],
      [field(1, 8), 4, 0xffff_ffff],
    ]),
  'a huge address': () => crafted([[field(2, 12), 4, 0xffff_f000]]),
  'raw data past the end': () => crafted([[field(2, 16), 4, 0x7fff_ffff]]),
  'raw data whose end wraps around': () =>
    crafted([
      [field(3, 16), 4, 0xffff_ff00],
      [field(3, 20), 4, 0x200],
    ]),
  'sections without content': () => crafted([0, 1, 2, 3].map((row) => [field(row, 16), 4, 0])),
  'a certificate table past the end': () =>
    crafted([
      [DIRECTORIES + 32, 4, 0x7fff_0000],
      [DIRECTORIES + 36, 4, 0x7fff_0000],
    ]),
  'a certificate table over the headers': () =>
    crafted([
      [DIRECTORIES + 32, 4, 8],
      [DIRECTORIES + 36, 4, 64],
    ]),
  'a certificate table that is not the end': () =>
    concat([withTable(aCertificateEntry(countingBytes(40))), new Uint8Array(512)]),
  'a certificate table of seven bytes': () => withTable(new Uint8Array(7).fill(1)),
  'a certificate entry of no length': () => withTable(entryOf(0)),
  'a certificate entry that is but its header': () => withTable(entryOf(8)),
  'a certificate entry of four gigabytes': () => withTable(entryOf(0xffff_ffff)),
  'a certificate table of two megabytes': () => withTable(new Uint8Array(2 * 1024 * 1024)),
  'sixty thousand certificates': () =>
    withTable(concat(Array.from({ length: 60_000 }, () => aCertificateEntry(text('0'))))),
  'names that steer a terminal': () =>
    withSections(['\u001b[2J\u0007', 'x'], ['.osrel', OSREL], ['.linux', 'x']),
  'a title that steers a terminal': () =>
    withSections(
      [
        '.osrel',
        `ID=\u001b[31m\nPRETTY_NAME=\u001b]0;owned\u0007\u009b2J\u202e\u200b\nVERSION=\u001b[1m\n`,
      ],
      ['.linux', 'x'],
    ),
  'a title of many bytes': () =>
    withSections(['.osrel', `ID=x\nPRETTY_NAME=${'long '.repeat(12_000)}\n`], ['.linux', 'x']),
  'a version of many digits': () =>
    withSections(
      ['.osrel', `ID=nixos\nPRETTY_NAME=x\nVERSION_ID=${'9.'.repeat(30_000)}\n`],
      ['.linux', 'x'],
    ),
  'a title that is not UTF-8': () =>
    withSections(['.osrel', concat([text('PRETTY_NAME='), Uint8Array.of(0xff, 0xc0, 0x80, 0)])]),
  'a text of NULs': () =>
    withSections(['.osrel', new Uint8Array(60_000)], ['.cmdline', new Uint8Array(9)]),
  'a thin image that refers to the outside': () =>
    withSections(
      ['.linuxh', 'x'],
      ['.linux', '\\..\\..\\outside\\secret'],
      ['.initrd', '/../../../../../../etc/passwd'],
      ['.osrel', OSREL],
    ),
  'a thin image that refers to nothing that has a name': () =>
    withSections(['.initrdh', 'x'], ['.linux', '\0\n\u001b[2J'], ['.initrd', 'x'.repeat(9000)]),
  'a thin image of nobody that says that it is ours': () =>
    withSections(
      ['.signer', 'unsigned'],
      ['.linux', '\\..\\..\\outside\\secret'],
      ['.linuxh', 'x'],
      ['.osrel', OSREL],
    ),
  'a thin image whose signer is no text': () =>
    withSections(['.signer', new Uint8Array(70_000).fill(0xff)], ['.signer', 'unsigned']),
  'a loader of version 999999': () => withSections(['.sdmagic', marker('999999')]),
  'a loader whose version steers a terminal': () => withSections(['.sdmagic', marker('\u001b[2J')]),
  'a loader whose version is a path': () => withSections(['.sdmagic', marker('../../../etc')]),
  'a loader whose version has a megabyte': () =>
    withSections(['.sdmagic', marker('9'.repeat(1_000_000))]),
  'a loader whose version has four thousand digits': () =>
    withSections(['.sdmagic', marker('9'.repeat(4000))]),
  'a loader with several markers': () =>
    withSections(
      ['.sdmagic', marker('1')],
      ['.sdmagic', marker('999')],
      ['.osrel', 'ID=systemd-boot\nVERSION=5\n'],
    ),
  'a loader whose markers are in one section': () =>
    withSections(['.sdmagic', `${marker('256')}${marker('999')}`]),
};

/** Named so that a message tells which one it is about. */
const programs = Object.entries(PROGRAMS).map(([name, make]) => ({
  file: name.replaceAll(/[^a-z0-9]/gi, '_'),
  make,
}));

/** Every program under a name of ours, under another's, and at both places of the loader. */
export const programCases: readonly HostileCase[] = [
  {
    name: 'crafted images, ours and foreign',
    generations: programs.length,
    plant: ({ machine, generations }) => {
      for (const [at, { file, make }] of programs.entries()) {
        const own = `EFI/Linux/nixos-generation-${1000 + at}-${NO_DIGEST}.efi`;
        const places = [
          generations[at]?.entry,
          own,
          `EFI/Linux/${file}.efi`,
          `EFI/evil/${file}.efi`,
        ];
        for (const place of places) machine.put(place ?? '', make());
      }
    },
  },
  {
    name: 'crafted kernels and initrds, ours and foreign',
    format: 'type1',
    generations: programs.length,
    plant: ({ machine, generations }) => {
      for (const [at, { file, make }] of programs.entries()) {
        const own = ['kernel', 'initrd'].map((kind) => `EFI/nixos/${kind}-${at}-${NO_DIGEST}.efi`);
        const places = [...(generations[at]?.blobs ?? []), ...own, `EFI/nixos/${file}.efi`];
        for (const place of places) machine.put(place, make());
      }
    },
  },
];

/** Programs that would take for ever to read. */
export const giants: readonly HostileCase[] = [
  {
    name: 'a foreign image of a terabyte',
    plant: ({ machine }) => {
      machine.put('EFI/Linux/giant.efi', aPe(SHOWN));
      fs.truncateSync(join(machine.esp, 'EFI/Linux/giant.efi'), 2 ** 40);
    },
  },
  {
    name: 'loaders of a terabyte',
    signed: true,
    plant: ({ machine }) => {
      for (const place of FIXED.slice(0, 2)) {
        machine.put(place, aPe(SHOWN));
        fs.truncateSync(join(machine.esp, place), 2 ** 40);
      }
    },
  },
];
