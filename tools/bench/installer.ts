/** The programs that are compared: how each is told to do the same job. */
import { existsSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findParts } from '../../test/lab/parts.ts';
import { missingTools, systemPython } from '../../test/lab/tools.ts';
import { folderForKeys, type Machine } from './machine.ts';
import { type Command, run } from './process.ts';

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

export type Format = 'type1' | 'uki' | 'shared';

/**
 * Returns our program: the bundled file, run with Node's compile cache as its launcher runs it.
 * @param keysOf the key that signs what it installs; nothing is signed without
 */
export function espalier(
  bundle: string,
  format: Format,
  keysOf?: (machine: Machine) => Keys,
): Installer {
  return {
    name: 'espalier',
    install: (machine, { esp, cache }) => ({
      program: process.execPath,
      args: [
        bundle,
        'install',
        ...['--esp', esp, '--allow-directory', '--profiles', machine.profiles, '--format', format],
        ...['--systemd', machine.systemd, '--cache-dir', cache],
        ...['--booted', `${machine.profiles}/system`],
        ...(keysOf ? signingOptions(keysOf(machine)) : ['--allow-unsigned']),
      ],
      environment: { NODE_COMPILE_CACHE: `${cache}-compiled` },
    }),
  };
}

/** Returns the key that a machine has. */
export function ownKeys(machine: Machine): Keys {
  return machine;
}

function signingOptions({ certificate, privateKey }: Keys): string[] {
  return ['--certificate', certificate, '--private-key', privateKey];
}

/** The key that images are signed with, in PEM. */
export interface Keys {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Makes keys of RSA-4096, as owners of machines have them. */
export function makeKeys(bundle: string): Keys {
  const directory = folderForKeys();
  run({ program: process.execPath, args: [bundle, 'keys', 'generate', directory] });
  const db = join(directory, 'keys/db');
  return { certificate: join(db, 'db.pem'), privateKey: join(db, 'db.key') };
}

/** Returns `lzbt-systemd`, ours or lanzaboote's: told the same, and each signs every image. */
function lzbt(name: string, command: readonly [string, ...string[]], keys: Keys): Installer {
  const [program, ...before] = command;
  return {
    name,
    install: ({ systemd, stub, loaderConf, profiles, links }, { esp, cache }) => ({
      program,
      args: [
        ...[...before, 'install', '--system', 'x86_64-linux', '--systemd', systemd],
        ...['--systemd-boot-loader-config', loaderConf, '--configuration-limit', '0'],
        ...['--public-key', keys.certificate, '--private-key', keys.privateKey],
        esp,
        ...links(),
      ],
      environment: {
        LANZABOOTE_STUB: stub,
        ESPALIER_CACHE_DIR: cache,
        NODE_COMPILE_CACHE: `${cache}-compiled`,
        ESPALIER_BOOTED: `${profiles}/system`,
      },
    }),
  };
}

/** What lanzaboote's tool is called among the contenders. */
export const LZBT = 'lzbt';

/** Returns our `lzbt-systemd` and lanzaboote's; the link that is ours is made in a directory. */
export function rivals(
  bundle: string,
  program: string,
  directory: string,
): readonly [Installer, Installer] {
  const keys = makeKeys(bundle);
  const link = join(directory, 'lzbt-systemd');
  symlinkSync(bundle, link);
  const ours = lzbt('espalier', [process.execPath, link], keys);
  return [ours, lzbt(LZBT, [program], keys)];
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
  /** Lanzaboote's tool. */
  readonly lzbt: string | undefined;
  readonly imageBuilder: { readonly name: string; readonly build: ImageBuilder } | undefined;
  readonly leftOut: readonly string[];
}

/** Looks for peers: `LZBT` and `UKIFY` name them, and ukify may be among the parts of the lab. */
export function findPeers(environment: Readonly<Record<string, string | undefined>>): Peers {
  const leftOut: string[] = [];
  const { UKIFY } = environment;
  const lzbt = environment['LZBT'] ? resolve(environment['LZBT']) : undefined;
  if (!lzbt) leftOut.push('lzbt: LZBT=FILE names it');
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
    return { lzbt, imageBuilder: { name, build: ukify(resolve(script), isSigned) }, leftOut };
  }
  return { lzbt, imageBuilder: undefined, leftOut };
}
