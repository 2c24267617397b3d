/** Names that nobody should give a file, in every directory that is looked at. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { aPe } from '../pe/a-pe.ts';
import { DIRECTORIES, type HostileCase, NO_DIGEST, type Site } from './case.ts';

const STEMS: readonly (string | Buffer)[] = [
  '..\\..\\etc\\passwd',
  '\\',
  '...',
  '. .',
  ' ',
  '-rf',
  '--help',
  '$(touch owned)',
  '`id`',
  '%s%s%n',
  'a\nb',
  'a\r\u001b[2J\u0007b',
  '\u009b2J',
  '\u202egnp\u202c',
  '\u200b\u200d\ufeff',
  '\u{e0041}\u{e0042}',
  'é'.repeat(120),
  'x'.repeat(249),
  'CON',
  '__proto__',
  'constructor',
  'nixos-generation-99999999999999999999',
  `nixos-generation-1-${NO_DIGEST}+`,
  `nixos-generation-1-${NO_DIGEST}+999999999999`,
  `nixos-generation-0001-${NO_DIGEST}`,
  `nixos-generation-1-specialisation-..-${NO_DIGEST}/..`.replace('/', '\\'),
  `nixos-generation--1-${NO_DIGEST}`,
  `kernel-6.1-${NO_DIGEST}x`,
  `kernel-${'9'.repeat(65)}-${NO_DIGEST}`,
  'auto-windows',
  '.hidden',
  Buffer.from([0xff, 0xfe, 0x41]),
  Buffer.from([0x43, 0x61, 0x66, 0xe9]),
  Buffer.from([0xed, 0xa0, 0x80]),
];
const SUFFIXES = ['.efi', '.conf', ''];

function plantNames({ machine }: Site, content: Uint8Array | string): void {
  for (const directory of DIRECTORIES) {
    fs.mkdirSync(join(machine.esp, directory), { recursive: true });
    for (const stem of STEMS) {
      for (const suffix of SUFFIXES) {
        const name = Buffer.concat([Buffer.from(stem), Buffer.from(suffix)]);
        const path = Buffer.concat([Buffer.from(`${machine.esp}/${directory}/`), name]);
        fs.writeFileSync(path, content);
      }
    }
  }
}

const ENTRY = 'title x\nlinux /EFI/nixos/x.efi\n';
const IMAGE = aPe({ sections: [{ name: '.osrel', bytes: new TextEncoder().encode('ID=x\n') }] });

export const nameCases: readonly HostileCase[] = [
  { name: 'strange names of images', fresh: true, plant: (site) => plantNames(site, IMAGE) },
  {
    name: 'strange names of entries',
    format: 'type1',
    plant: (site) => plantNames(site, ENTRY),
  },
  {
    name: 'twins of our names in capitals',
    plant: ({ machine, generations }) => {
      for (const { entry } of generations) {
        machine.put(`EFI/Linux/${entry.slice(10).toUpperCase()}`, 'a twin');
      }
      machine.put('EFI/boot/bootx64.efi', 'a twin');
      machine.put('efi/linux/x.efi', 'a twin');
      machine.put('LOADER/LOADER.CONF', 'timeout 99\n');
    },
  },
  {
    name: 'temporaries of ours with strange names',
    plant: ({ machine }) => {
      for (const directory of DIRECTORIES) {
        for (const middle of [
          '0-0',
          '1-',
          '-1',
          '1-1-1',
          '99999999999-0',
          '1-1\n',
          'a-b',
          '4294967295-1',
        ]) {
          machine.put(`${directory}/.espalier-${middle}.tmp`, 'unfinished');
        }
        machine.put(`${directory}/.espalier-1-1.TMP`, 'unfinished');
        fs.mkdirSync(join(machine.esp, directory, '.espalier-7-7.tmp'));
        fs.symlinkSync('../../outside/secret', join(machine.esp, directory, '.espalier-8-8.tmp'));
      }
    },
  },
];
