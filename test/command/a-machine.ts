/** A machine in a temporary directory, and the real program run on it in this process. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import type { Context } from '../../src/context.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import type { SecretsRunner } from '../../src/generation/initrd-secrets.ts';
import { partsOf, plain, type Text } from '../../src/process/styled-text.ts';
import { aProfiles, aRoot, type GenerationShape } from '../generation/a-generation.ts';
import { type ASection, aPe, countingBytes } from '../pe/a-pe.ts';
import { usedBy } from '../support/used-by.ts';

/** The program's own file, for tests that start it as a process. */
export const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** What differs from a machine with one generation and an empty ESP. */
export interface MachineShape {
  readonly generations?: readonly GenerationShape[];
  /** Version of the systemd-boot that its systemd brings. */
  readonly loader?: string;
}

/** What a run said and did. */
export interface Ran {
  readonly status: number;
  readonly output: string;
  /** The parts of the output that have a colour, as `bad: NOT THERE`. */
  readonly meant: readonly string[];
  /** What main.ts would print to stderr. */
  readonly error?: EspError;
}

/** How a run differs from a plain one. */
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** What the disk does differently. */
  readonly disk?: Partial<WritableDisk>;
  /** How the program of a generation that appends secrets is run. */
  readonly runSecrets?: SecretsRunner;
}

/** Returns a kernel: the smallest program that says which one it is. */
export function aKernel(name = 'kernel'): Uint8Array {
  return aPe({
    sections: [
      { name: '.text', bytes: countingBytes(900) },
      { name: '.data', bytes: new TextEncoder().encode(name) },
    ],
  });
}

/** Returns a boot loader that says that it is systemd-boot. */
export function aSystemdBoot(version: string, ...more: readonly ASection[]): Uint8Array {
  const text = `#### LoaderInfo: systemd-boot ${version} ####`;
  const marker = { name: '.sdmagic', bytes: new TextEncoder().encode(text) };
  return aPe({ sections: [{ name: '.text', bytes: countingBytes(600) }, marker, ...more] });
}

const STUB = aPe({ sections: [{ name: '.text', bytes: countingBytes(700) }] });

/**
 * Returns a stub that says that it is systemd's.
 * @param headers in bytes; the room that its headers may grow to
 */
export function aStub(version: string, headers = 0x1000): Uint8Array {
  const marker = new TextEncoder().encode(`#### LoaderInfo: systemd-stub ${version} ####`);
  return aPe({
    sections: [
      { name: '.text', bytes: countingBytes(700), virtualAddress: headers },
      { name: '.sdmagic', bytes: marker, virtualAddress: 0x4000 },
    ],
  });
}

/** A service at work may remove a file between the moment it is listed and the moment it is read. */
function readIfThere(path: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A machine: where its parts are, and what can be done with it. */
export class Machine {
  readonly root: string;
  readonly esp: string;
  readonly efivars: string;
  readonly systemd: string;
  readonly profiles: string;

  constructor(root: string) {
    this.root = root;
    this.esp = join(root, 'esp');
    this.efivars = join(root, 'efivars');
    this.systemd = join(root, 'systemd');
    this.profiles = join(root, 'nix/var/nix/profiles');
    for (const directory of [this.esp, this.efivars]) fs.mkdirSync(directory);
  }

  /** Makes these the generations, beside those that exist, and the last of them the current one. */
  generations(shapes: readonly GenerationShape[]): void {
    aProfiles(
      this.root,
      shapes.map((shape) => ({ kernel: aKernel(), ...shape })),
    );
  }

  /** Gives files the time that all files of a Nix store have: then their digests are remembered. */
  asInStore(): void {
    const store = join(this.root, 'nix/store');
    for (const name of fs.readdirSync(store, { recursive: true, encoding: 'utf8' })) {
      fs.lutimesSync(join(store, name), 1, 1);
    }
  }

  /** The path of a generation's link. */
  link(number: number): string {
    return join(this.profiles, `system-${number}-link`);
  }

  /** The store path of a generation's system. */
  toplevel(number: number): string {
    return fs.realpathSync(this.link(number));
  }

  /** Puts a systemd with this version of its boot loader in place. */
  brings(loader: string): void {
    const efi = join(this.systemd, 'lib/systemd/boot/efi');
    fs.mkdirSync(efi, { recursive: true });
    fs.writeFileSync(join(efi, 'systemd-bootx64.efi'), aSystemdBoot(loader));
    fs.writeFileSync(join(efi, 'linuxx64.efi.stub'), STUB);
  }

  boots(number: number): void {
    fs.rmSync(join(this.root, 'booted'), { force: true });
    fs.symlinkSync(this.toplevel(number), join(this.root, 'booted'));
  }

  /** Writes a file on the ESP. */
  put(path: string, content: Uint8Array | string): void {
    const full = join(this.esp, path);
    fs.mkdirSync(dirname(full), { recursive: true });
    fs.writeFileSync(full, content);
  }

  read(path: string): string {
    return fs.readFileSync(join(this.esp, path), 'utf8');
  }

  /** Sets an EFI variable of a vendor to bytes behind its attributes. */
  variable(name: string, vendor: 'global' | 'loader', value: Uint8Array): void {
    const bytes = Buffer.concat([Uint8Array.of(7, 0, 0, 0), value]);
    fs.writeFileSync(join(this.efivars, `${name}-${VENDORS[vendor]}`), bytes);
  }

  /** Sets one of the boot loader's own variables to text. */
  loaderVariable(name: string, text: string): void {
    this.variable(name, 'loader', Buffer.from(`${text}\0`, 'utf16le'));
  }

  /** The path of every file on the ESP, in order. */
  #files(esp: string): string[] {
    return fs
      .readdirSync(esp, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(esp.length + 1))
      .sort();
  }

  /** Every file on the ESP with the SHA-256 of its content, by path. */
  tree(esp: string = this.esp): Record<string, string> {
    return Object.fromEntries(
      this.#files(esp).flatMap((path) => {
        const bytes = readIfThere(join(esp, path));
        return bytes ? [[path, createHash('sha256').update(bytes).digest('hex')]] : [];
      }),
    );
  }

  /** The paths on the ESP that match. */
  paths(pattern: RegExp): string[] {
    return this.#files(this.esp).filter((path) => pattern.test(path));
  }

  /** The numbers of the generations that have an entry, in order; specialisations are not counted. */
  installed(): number[] {
    const entry = /nixos-generation-(\d+)-[a-z2-7]{52}\.(efi|conf)$/;
    return this.#files(this.esp)
      .flatMap((path) => entry.exec(path)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** The number of the generation that loader.conf names. */
  next(): number {
    return Number(/^default nixos-generation-(\d+)-/m.exec(this.read('loader/loader.conf'))?.[1]);
  }

  /** The arguments that make the program work on this machine alone. */
  arguments(): string[] {
    return [
      ...['--esp', this.esp, '--allow-directory', '--profiles', this.profiles],
      ...['--systemd', this.systemd, '--booted', join(this.root, 'booted')],
      ...['--cache-dir', join(this.root, 'cache')],
    ];
  }

  /** Runs a verb, without signatures, and without a word on stderr. */
  run(verb: string, ...args: readonly string[]): Promise<Ran> {
    return this.runWith({}, verb, ...this.arguments(), '--allow-unsigned', '--quiet', ...args);
  }

  /** Runs the program with those of these arguments that the verb uses, and no others. */
  async runWith(
    { environment, disk, runSecrets }: RunOptions,
    ...args: readonly string[]
  ): Promise<Ran> {
    const lines: Text[] = [];
    const real = processContext(pathToFileURL(MAIN));
    const changed = { ...real.disk, ...disk };
    const context: Context = {
      ...real,
      disk: changed,
      host: changed,
      ...(runSecrets && { runSecrets }),
      environment: { ...this.environment(), ...environment },
      // Not the superuser: locks then lie in a directory of this test's own.
      uid: real.uid || 1,
      print: (text) => void lines.push(text),
      columns: () => 80,
    };
    const printed = () => ({
      output: lines.map(plain).join('\n'),
      meant: lines
        .flatMap(partsOf)
        .flatMap((part) => (typeof part === 'string' ? [] : [`${part.meaning}: ${part.text}`])),
    });
    try {
      return { status: await run(usedBy(args), '0.0.0', context), ...printed() };
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      return { status: error.status, ...printed(), error };
    }
  }

  environment(): Record<string, string> {
    return {
      XDG_RUNTIME_DIR: this.root,
      ESPALIER_EFIVARS: this.efivars,
      ESPALIER_CACHE_DIR: join(this.root, 'cache'),
    };
  }
}

const VENDORS = {
  global: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  loader: '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
} as const;

/** Returns a machine that is removed after the test. */
export function aMachine(t: Pick<TestContext, 'after'>, shape: MachineShape = {}): Machine {
  const machine = new Machine(aRoot(t));
  machine.brings(shape.loader ?? '257.9');
  machine.generations(shape.generations ?? [{}]);
  return machine;
}
