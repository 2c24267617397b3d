/** Entries, settings of the boot loader and EFI variables that nobody sensible wrote. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../command/a-machine.ts';
import { concat } from '../pe/a-pe.ts';
import { type HostileCase, NO_DIGEST } from './case.ts';

const MIB = 1024 * 1024;
const bytes = (text: string) => new TextEncoder().encode(text);
const STEERING = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\u200b\u0000';

/** Texts by what is wrong with them. */
const TEXTS: Readonly<Record<string, () => Uint8Array | string>> = {
  empty: () => '',
  outside: () => 'title x\nlinux /../../outside/secret\ninitrd /EFI/../../../etc/shadow\n',
  absolute: () => 'linux //etc/passwd\ninitrd ////../..//\n',
  backslashes: () => 'linux \\..\\..\\outside\\secret\nefi \\EFI\\BOOT\\BOOTX64.EFI\n',
  itself: () => 'linux /loader/entries/itself.conf\nuki /loader/entries/itself.conf\n',
  nothing: () => 'linux /\ninitrd .\nefi ..\n',
  long: () => `title ${'t'.repeat(60_000)}\n`,
  'long-path': () => `linux /${'a/'.repeat(30_000)}\n`,
  'long-name': () => `linux /${'a'.repeat(60_000)}\n`,
  'many-lines': () => 'initrd /EFI/nixos/x.efi\n'.repeat(2700),
  'many-references': () => Array.from({ length: 4000 }, (_, at) => `initrd /${at}`).join('\n'),
  'ten-megabytes': () => 'title x\n'.repeat((10 * MIB) / 8),
  nuls: () => new Uint8Array(4096),
  'nul-inside': () => 'title a\0b\nlinux /a\0b\n',
  'not-utf8': () =>
    concat([bytes('title '), Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80)]),
  bom: () => '\ufefftitle x\nlinux /x\n',
  utf16: () => Uint8Array.from(Buffer.from('title x\nlinux /x\n', 'utf16le')),
  steering: () =>
    `title ${STEERING}x\nversion ${STEERING}\nsort-key ${STEERING}\nlinux /${STEERING}\n`,
  quotes: () => `title "\nversion '''\nlinux "/x'\noptions """"\n`,
  versions: () => `title x\nsort-key nixos\nversion ${'~'.repeat(9000)}${'9'.repeat(50_000)}\n`,
  dots: () => `title x\nsort-key nixos\nversion ${'1.'.repeat(30_000)}\n`,
  proto: () => '__proto__ x\nconstructor y\ntoString z\nlinux /__proto__\n',
  init: () => 'title x\noptions init=/nix/store/x/init\n',
};

/** Settings of the loader, by what is wrong with them. */
const LOADER_CONFS: Readonly<Record<string, () => Uint8Array | string>> = {
  'of a hundred megabytes': () => new Uint8Array(100 * MIB).fill(0x61),
  'of sixty kilobytes': () => 'timeout 3\n'.repeat(6000),
  'of random bytes': () => Uint8Array.from({ length: 4096 }, (_, at) => (at * 167 + 13) & 0xff),
  'of NULs': () => new Uint8Array(512),
  'with NULs inside': () => 'timeout 3\0\neditor no\n',
  'that steers a terminal': () => `default ${STEERING}\ntimeout ${STEERING}\n${STEERING} x\n`,
  'that names a pattern without end': () => `default ${'*a'.repeat(500)}b\ntimeout 3\n`,
  'that names sets without end': () => `default ${'['.repeat(900)}\n`,
  'that is not UTF-8': () => Uint8Array.of(0x74, 0x20, 0xff, 0x0a, 0xc0, 0x20, 0xfe, 0x0a),
  'with long values': () => `timeout 3\nconsole-mode ${'9'.repeat(3000)}\neditor no\n`,
  'with keys of another world': () => '__proto__ x\nconstructor y\n#timeout 9\ndefault @saved\n',
};

function plantTexts(machine: Machine): void {
  for (const [name, make] of Object.entries(TEXTS)) {
    machine.put(`loader/entries/${name}.conf`, make());
    machine.put(`EFI/Linux/${name}.efi`, make());
    machine.put(`EFI/nixos/${name}.efi`, make());
  }
}

const VARIABLES = [
  'LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  'LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  'LoaderEntryPreferred-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  'LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  'LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
];
const utf16 = (text: string) =>
  concat([new Uint8Array(4), Uint8Array.from(Buffer.from(text, 'utf16le'))]);

/** Contents of EFI variables, attributes included. */
const VALUES: Readonly<Record<string, () => Uint8Array>> = {
  'that are empty': () => new Uint8Array(),
  'that are cut short': () => new Uint8Array(3),
  'of odd length': () => new Uint8Array(9).fill(0x61),
  'of ten megabytes': () => new Uint8Array(10 * MIB).fill(0x61),
  'that steer a terminal': () => utf16(`\u202e\u200b${'*'.repeat(20)}\0`),
  'that hold half a character': () => utf16('\ud800x\0'),
  'that name patterns': () => utf16(`${'*?'.repeat(400)}[!-~]\0`),
  'that name the outside': () => utf16('\\..\\..\\etc\\passwd\0'),
};

export const textCases: readonly HostileCase[] = [
  { name: 'foreign entries of every kind', plant: ({ machine }) => plantTexts(machine) },
  {
    name: 'foreign entries, and type #1',
    format: 'type1',
    plant: ({ machine }) => plantTexts(machine),
  },
  {
    name: 'entries of ours that say something else',
    format: 'type1',
    generations: Object.keys(TEXTS).length,
    plant: ({ machine, generations }) => {
      for (const [at, make] of Object.values(TEXTS).entries()) {
        machine.put(generations[at]?.entry ?? '', make());
        machine.put(`loader/entries/nixos-generation-${900 + at}-${NO_DIGEST}.conf`, make());
      }
    },
  },
  ...Object.entries(LOADER_CONFS).map(
    ([name, make], at): HostileCase => ({
      name: `a loader.conf ${name}`,
      fresh: at % 2 === 0,
      plant: ({ machine }) => machine.put('loader/loader.conf', make()),
    }),
  ),
  {
    name: 'a mark of the layout of a hundred megabytes',
    plant: ({ machine }) => {
      machine.put('loader/entries.srel', '');
      fs.truncateSync(join(machine.esp, 'loader/entries.srel'), 100 * MIB);
    },
  },
  {
    name: 'a mark of the layout that steers a terminal',
    plant: ({ machine }) => machine.put('loader/entries.srel', STEERING),
  },
  ...Object.entries(VALUES).map(
    ([name, make]): HostileCase => ({
      name: `EFI variables ${name}`,
      plant: ({ machine }) => {
        for (const variable of VARIABLES) fs.writeFileSync(join(machine.efivars, variable), make());
      },
    }),
  ),
];
