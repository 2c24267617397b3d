/** More files than anybody would put on an ESP. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { base32, hash } from '../../src/digest.ts';
import { aPe } from '../pe/a-pe.ts';
import { DIRECTORIES, type HostileCase, type Site } from './case.ts';

const MANY = 10_000;
/** Of files that are large themselves. */
const FEWER = 1100;

function plantMany(
  { machine }: Site,
  directory: string,
  content: Uint8Array | string,
  name: (at: number) => string,
  count = MANY,
) {
  const full = join(machine.esp, directory);
  fs.mkdirSync(full, { recursive: true });
  for (let at = 0; at < count; at++) fs.writeFileSync(join(full, name(at)), content);
}

const digest = (at: number) => base32(hash(String(at)));
const image = (options: string) =>
  aPe({
    sections: [
      { name: '.osrel', bytes: new TextEncoder().encode(`ID=x\nPRETTY_NAME=x\n${options}`) },
      { name: '.cmdline', bytes: new TextEncoder().encode(`init=/x ${options}`) },
    ],
  });

/** A list of extra files under the name that its text has, of paths that are given. */
function plantList(site: Site, paths: readonly string[], content: string): void {
  const lines = paths.map((path) => `${hash(content)} ${content.length} ${path}`);
  const text = `espalier extra files 1\n${lines.join('\n')}\n`;
  site.machine.put(`EFI/nixos/extra-files-${base32(hash(text))}.txt`, text);
}

export const crowdCases: readonly HostileCase[] = [
  {
    name: 'lists of extra files that claim what is ours, what is outside and what is not there',
    plant: (site) => {
      const { machine, current } = site;
      const secret = fs.readFileSync(join(machine.root, 'outside/secret'), 'utf8');
      fs.symlinkSync(join(machine.root, 'outside'), join(machine.esp, 'link'));
      fs.symlinkSync(join(machine.root, 'outside/secret'), join(machine.esp, 'secret'));
      machine.put('EFI/foreign.efi', secret.replace('7', '8'));
      const paths = [
        'link/secret',
        'secret',
        '../outside/secret',
        '/outside/secret',
        'EFI/foreign.efi',
      ];
      plantList(site, [...paths, current.entry, 'loader/loader.conf', '\u001b]0;x\u0007'], secret);
      plantList(
        site,
        Array.from({ length: 500 }, (_, at) => `${'d/'.repeat(at % 100)}${at}`),
        secret,
      );
    },
  },
  {
    name: 'eleven hundred lists of extra files',
    plant: (site) => {
      for (let at = 0; at < FEWER; at++) {
        plantList(
          site,
          Array.from({ length: 400 }, (_, index) => `d${at}/f${index}`),
          String(at),
        );
      }
    },
  },
  {
    name: 'ten thousand foreign files where entries and blobs are, and a thousand elsewhere',
    plant: (site) => {
      for (const directory of DIRECTORIES) {
        plantMany(
          site,
          directory,
          'x',
          (at) => `${at}.efi`,
          /Linux|nixos/.test(directory) ? MANY : FEWER,
        );
      }
      plantMany(site, 'loader/entries', 'title x\nlinux /x\n', (at) => `${at}.conf`);
    },
  },
  {
    name: 'eleven hundred images with long texts, ours and foreign',
    plant: (site) => {
      const long = image('x'.repeat(30_000));
      plantMany(site, 'EFI/Linux', long, (at) => `${at}.efi`, FEWER);
      plantMany(site, 'EFI/Linux', long, (at) => `nixos-generation-${at}-${digest(at)}.efi`, FEWER);
    },
  },
  {
    name: 'eleven hundred entries of sixty kilobytes, ours and foreign',
    format: 'type1',
    plant: (site) => {
      const long = `title \u2603\noptions ${'x'.repeat(30_000)}\n${'initrd /x\n'.repeat(3000)}`;
      const name = (at: number) => `nixos-generation-${at}-${base32(hash(long))}.conf`;
      plantMany(site, 'loader/entries', long, (at) => `${at}.conf`, FEWER);
      plantMany(site, 'loader/entries', long, name, FEWER);
    },
  },
  {
    name: 'ten thousand images under names of ours',
    plant: (site) =>
      plantMany(site, 'EFI/Linux', image(''), (at) => `nixos-generation-${at}-${digest(at)}.efi`),
  },
  {
    name: 'five thousand entries and as many blobs under names of ours',
    format: 'type1',
    plant: (site) => {
      const entry = (at: number) => `nixos-generation-${at}-${digest(at)}.conf`;
      plantMany(site, 'loader/entries', 'title x\n', entry, MANY / 2);
      plantMany(site, 'EFI/nixos', 'x', (at) => `kernel-${at}-${digest(at)}.efi`, MANY / 2);
    },
  },
  {
    name: 'ten thousand temporaries of ours beside ten thousand files of their size',
    plant: (site) => {
      plantMany(site, 'EFI/Linux', 'same size a', (at) => `${at}.bin`);
      plantMany(site, 'EFI/Linux', 'same size b', (at) => `.espalier-${at}-1.tmp`);
    },
  },
  {
    name: 'twenty-five thousand files before ours',
    plant: (site) => {
      for (const letter of ['a', 'b', 'c'])
        plantMany(site, 'EFI/Linux', 'x', (at) => `${letter}${at}.bin`);
    },
  },
];
