/** A machine below one directory: its store, profiles, systemd and keys, and its ESP as plain files. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bytesSource } from '../../src/byte-source.ts';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { aKernel, aSystemdBoot, MAIN } from '../command/a-machine.ts';
import { aProfiles } from '../generation/a-generation.ts';
import { espalier } from '../lab/espalier.ts';
import { makeProofInitrd } from '../lab/initrd.ts';
import { makeKeys } from '../lab/keys.ts';
import type { Parts } from '../lab/parts.ts';
import { emulated } from '../lab/qemu.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { dyingDisk } from './dying-disk.ts';

/** Versions of systemd that a world can bring. */
export type LoaderVersion = '252' | '254' | '257';

/** What generations and boot loaders are made of. */
export interface Payload {
  readonly kernel: Uint8Array;
  /** Returns an initrd that differs from that of every other note. */
  readonly initrd: (note: string) => Uint8Array;
  readonly loader: (version: LoaderVersion) => Uint8Array;
  readonly stub: Uint8Array;
}

/** Returns real parts: what is installed from them really boots. An image has 16 MiB. */
export function realPayload(parts: Parts): Payload {
  return {
    kernel: fs.readFileSync(parts.kernel),
    initrd: (note) => makeProofInitrd(parts, note),
    loader: (version) => fs.readFileSync(parts.systemdBoot[version]),
    stub: fs.readFileSync(parts.stub[257]),
  };
}

/** Returns parts that are whole for the installer and do not start; needs nothing. An image has 70 KiB. */
export function smallPayload(): Payload {
  return {
    kernel: aKernel(),
    initrd: (note) => Buffer.concat([Buffer.from(note), countingBytes(64 * 1024)]),
    loader: (version) => aSystemdBoot(version),
    stub: aPe({
      sections: [
        { name: '.text', bytes: countingBytes(700) },
        { name: '.sdmagic', bytes: Buffer.from('#### LoaderInfo: systemd-stub 257 ####') },
      ],
    }),
  };
}

/** A run that went as it should: done, or done with a warning, such as a generation that does not fit. */
const DONE: readonly number[] = [0, 5];

export class World {
  readonly root: string;
  readonly esp: string;
  readonly payload: Payload;

  /** `root` is absolute, and the paths inside the world's documents are too. */
  constructor(root: string, payload: Payload) {
    this.root = root;
    this.esp = join(root, 'esp');
    this.payload = payload;
    fs.mkdirSync(this.esp, { recursive: true });
  }

  #at(path: string): string {
    return join(this.root, path);
  }

  /** Makes a generation, which becomes the current one. Generations with one note share their initrd. */
  generation(number: number, note = `initrd ${number}`): void {
    aProfiles(this.root, [
      {
        number,
        tag: `generation-${number}`,
        kernel: this.payload.kernel,
        initrd: this.payload.initrd(note),
        kernelParams: ['console=ttyS0', 'quiet', 'panic=1', ...emulated],
      },
    ]);
  }

  /** Puts a systemd of this version in place. */
  brings(version: LoaderVersion): void {
    const efi = this.#at('systemd/lib/systemd/boot/efi');
    fs.mkdirSync(efi, { recursive: true });
    fs.writeFileSync(join(efi, 'systemd-bootx64.efi'), this.payload.loader(version));
    fs.writeFileSync(join(efi, 'linuxx64.efi.stub'), this.payload.stub);
  }

  /** Says that this generation is the running one. */
  boots(number: number): void {
    fs.rmSync(this.#at('booted'), { force: true });
    fs.symlinkSync(
      fs.realpathSync(this.#at(`nix/var/nix/profiles/system-${number}-link`)),
      this.#at('booted'),
    );
  }

  /** Returns the settings that make the program sign with a key of this name. Needs openssl. */
  signedBy(name: string): string[] {
    const keys = makeKeys(this.#at(`keys/${name}`));
    return ['--certificate', keys.certificate, '--private-key', keys.privateKey];
  }

  /** Returns settings that make the program work on this world alone, all but those of the ESP itself. */
  settings(...more: readonly string[]): string[] {
    return [
      ...['--profiles', this.#at('nix/var/nix/profiles'), '--systemd', this.#at('systemd')],
      ...['--booted', this.#at('booted'), '--cache-dir', this.#at('cache')],
      ...['--pins', this.#at('pins')],
      ...(more.includes('--certificate') ? [] : ['--allow-unsigned']),
      ...more,
    ];
  }

  /** Says that systemd-boot of this version started the machine. */
  starts(version: LoaderVersion): void {
    const identity = loaderIdentity(bytesSource(this.payload.loader(version)));
    assert.ok(identity.kind === 'systemd-boot');
    fs.mkdirSync(this.#at('efivars'), { recursive: true });
    // Four bytes of attributes, then the text.
    const value = Buffer.from(`\u0007\0systemd-boot ${identity.version}\0`, 'utf16le');
    const name = 'efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
    fs.writeFileSync(this.#at(name), value);
  }

  /** The variables of the environment with which every run takes place. */
  get environment(): Readonly<Record<string, string>> {
    const efivars = this.#at('efivars');
    return fs.existsSync(efivars) ? { ESPALIER_EFIVARS: efivars } : {};
  }

  /** Returns the settings by which `esp` is taken as it is, a plain directory. */
  onDirectory(esp: string = this.esp): string[] {
    return ['--esp', esp, '--allow-directory'];
  }

  /** Runs the program on the world's ESP, as part of what happened before. */
  run(args: readonly string[]): void {
    const { status, stderr } = espalier([...args, ...this.onDirectory()], {
      env: this.environment,
    });
    assert.ok(DONE.includes(status), `espalier ${args[0]} ended with ${status}: ${stderr}`);
  }

  /** Runs the program until it has changed the ESP `changes` times, and no further, as if killed there. */
  async runUntilKilled(args: readonly string[], changes: number): Promise<void> {
    const real = processContext(pathToFileURL(MAIN));
    const disk = dyingDisk(real.disk, this.esp, changes);
    const environment = { ...real.environment, ...this.environment };
    const context = { ...real, environment, disk, host: disk, print: () => {} };
    await assert.rejects(run([...args, ...this.onDirectory(), '--quiet'], '0.0.0', context));
  }

  /** Writes a file on the ESP. */
  put(path: string, content: Uint8Array | string): void {
    const full = join(this.esp, path);
    fs.mkdirSync(dirname(full), { recursive: true });
    fs.writeFileSync(full, content);
  }

  /** Returns the text of a file on the ESP. */
  read(path: string): string {
    return fs.readFileSync(join(this.esp, path), 'utf8');
  }

  /** Returns the one path on the ESP that matches. */
  find(pattern: RegExp): string {
    const found = this.files().filter((path) => pattern.test(path));
    assert.equal(found.length, 1, `${pattern} among ${this.files().join(', ')}`);
    return found[0] ?? '';
  }

  /** Returns the path of every file on the ESP, in order. */
  files(): string[] {
    return fs
      .readdirSync(this.esp, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.esp.length + 1))
      .sort();
  }

  /** Returns the size of a file on the ESP in bytes. */
  sizeOf(path: string): number {
    return fs.statSync(join(this.esp, path)).size;
  }

  /** Cuts a file on the ESP to half its size. */
  truncate(path: string): void {
    fs.truncateSync(join(this.esp, path), Math.floor(this.sizeOf(path) / 2));
  }

  /** Flips one bit in the middle of a file on the ESP. */
  flip(path: string): void {
    const bytes = fs.readFileSync(join(this.esp, path));
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    fs.writeFileSync(join(this.esp, path), bytes);
  }

  /** Gives a file on the ESP another name. */
  rename(from: string, to: string): void {
    fs.renameSync(join(this.esp, from), join(this.esp, to));
  }

  /** Removes a file from the ESP. */
  remove(path: string): void {
    fs.rmSync(join(this.esp, path));
  }
}
