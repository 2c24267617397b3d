/** The programs that are compared: how each is told to do the same job. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findParts } from '../lab/parts.ts';
import { missingTools, systemPython } from '../lab/tools.ts';
import type { Machine } from './machine.ts';
import type { Command } from './process.ts';

/** Where an installer puts its files, and what it remembers between runs. */
export interface Site {
  readonly esp: string;
  readonly cache: string;
}

/** A program that brings an ESP in line with a machine's generations. */
export interface Installer {
  readonly name: string;
  install(machine: Machine, site: Site): Command;
}

export type Format = 'type1' | 'uki';

/** Returns our program: the bundled file, run as its users run it. */
export function espalier(bundle: string, format: Format, isSigned: boolean): Installer {
  return {
    name: 'espalier',
    install: ({ profiles, systemd, certificate, privateKey }, { esp, cache }) => ({
      program: process.execPath,
      args: [
        bundle,
        'install',
        ...['--esp', esp, '--allow-directory', '--profiles', profiles, '--format', format],
        ...['--systemd', systemd, '--cache-dir', cache, '--booted', `${profiles}/system`],
        ...(isSigned
          ? ['--certificate', certificate, '--private-key', privateKey]
          : ['--allow-unsigned']),
      ],
    }),
  };
}

/** Returns lanzaboote's tool: its stub per generation is small, and it signs each. */
function lzbt(program: string): Installer {
  return {
    name: 'lzbt, signed',
    install: ({ systemd, stub, loaderConf, certificate, privateKey, links }, { esp }) => ({
      program,
      args: [
        ...['install', '--system', 'x86_64-linux', '--systemd', systemd],
        ...['--systemd-boot-loader-config', loaderConf, '--configuration-limit', '0'],
        ...['--public-key', certificate, '--private-key', privateKey],
        esp,
        ...links(),
      ],
      environment: { LANZABOOTE_STUB: stub },
    }),
  };
}

/** Builds one image from a machine's first generation. */
export type ImageBuilder = (machine: Machine, output: string) => Command;

/** Returns systemd's builder of images; it does not make what it writes durable. */
function ukify(program: string, isSigned: boolean): ImageBuilder {
  return ({ kernel, initrd, stub, certificate, privateKey }, output) => ({
    program: systemPython,
    args: [
      program,
      'build',
      ...[`--linux=${kernel}`, `--initrd=${initrd}`, `--stub=${stub}`, `--output=${output}`],
      ...['--cmdline=init=/nix/store/system/init loglevel=4', '--uname=6.12.0'],
      '--os-release=ID=nixos\nVERSION_ID=1\n',
      ...(isSigned
        ? [
            `--secureboot-certificate=${certificate}`,
            `--secureboot-private-key=${privateKey}`,
            '--no-sign-kernel',
          ]
        : []),
    ],
  });
}

/** The peers that are there, and a sentence for each that is left out. */
export interface Peers {
  readonly installer: Installer | undefined;
  readonly imageBuilder: { readonly name: string; readonly build: ImageBuilder } | undefined;
  readonly leftOut: readonly string[];
}

/** Looks for peers: `LZBT` and `UKIFY` name them, and ukify may be among the parts of the lab. */
export function findPeers({ LZBT, UKIFY }: Readonly<Record<string, string | undefined>>): Peers {
  const leftOut: string[] = [];
  const installer = LZBT ? lzbt(resolve(LZBT)) : undefined;
  if (!installer) leftOut.push('lzbt: LZBT=FILE names it');
  const script = UKIFY ?? findParts()?.ukify['257'];
  const lacking = missingTools(['python3-pefile', 'sbsigntool']);
  if (script === undefined) {
    leftOut.push('ukify: UKIFY=FILE names it');
  } else if (lacking.includes('python3-pefile') || !existsSync(systemPython)) {
    leftOut.push('ukify: it needs python3-pefile');
  } else {
    const isSigned = !lacking.includes('sbsigntool');
    if (!isSigned) leftOut.push('ukify’s signature: it needs sbsigntool');
    const name = isSigned ? 'ukify, signed' : 'ukify, unsigned';
    return { installer, imageBuilder: { name, build: ukify(resolve(script), isSigned) }, leftOut };
  }
  return { installer, imageBuilder: undefined, leftOut };
}
