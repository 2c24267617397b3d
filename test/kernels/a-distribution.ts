/** A machine of a distribution in a directory: its kernels are where packages put them. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { aKernel, aMachine, type Machine, type Ran } from '../command/a-machine.ts';

/** A machine ID, which is the entry token too. */
export const MACHINE_ID = '0123456789abcdef0123456789abcdef';

/** A mounted system without Nix, and the program run on it. */
export class Distribution {
  readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    fs.rmSync(join(machine.root, 'nix'), { recursive: true });
    fs.mkdirSync(join(machine.root, 'run'));
    this.put('etc/os-release', 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n');
    this.put('etc/machine-id', `${MACHINE_ID}\n`);
    this.put('etc/kernel/cmdline', 'root=/dev/vda2 ro\n');
  }

  path(path: string): string {
    return join(this.machine.root, path);
  }

  put(path: string, content: Uint8Array | string): void {
    fs.mkdirSync(dirname(this.path(path)), { recursive: true });
    fs.writeFileSync(this.path(path), content);
  }

  /** Installs the package of a kernel as Debian 12 does. */
  package(release: string, initrd: string | undefined = `initrd of ${release}`): void {
    this.put(`boot/vmlinuz-${release}`, aKernel(release));
    this.put(`usr/lib/modules/${release}/modules.dep`, '');
    if (initrd !== undefined) this.put(`boot/initrd.img-${release}`, initrd);
  }

  /** Makes the machine run what one of its generations boots. */
  boots(number: number): void {
    const system = fs.readlinkSync(this.path(`var/lib/espalier/kernels/system-${number}-link`));
    this.put('proc/cmdline', `root=/dev/vda2 espalier.system=${system}\n`);
  }

  /** Runs a verb of one or two words on it. */
  run(...words: readonly string[]): Promise<Ran> {
    return this.machine.runWith(
      {},
      ...words,
      ...['--root', this.machine.root, '--esp', '/esp', '--allow-directory', '--systemd'],
      ...['/systemd', '--cache-dir', '/cache', '--allow-unsigned', '--quiet'],
    );
  }

  /** The generations that have an entry on the ESP, in order. */
  installed(): number[] {
    return this.machine
      .paths(/-generation-\d+-[a-z2-7]{52}\.(efi|conf)$/)
      .map((path) => Number(/-generation-(\d+)-/.exec(path)?.[1]))
      .sort((a, b) => a - b);
  }

  /** The generation that loader.conf names. */
  next(): number {
    return Number(
      /^default \S+-generation-(\d+)-/m.exec(this.machine.read('loader/loader.conf'))?.[1],
    );
  }

  /** The names in a directory of the state. */
  state(directory: string): string[] {
    return fs.readdirSync(this.path(`var/lib/espalier/${directory}`));
  }
}

/** Returns a machine with these kernels, which is removed after the test. */
export function aDistribution(t: TestContext, ...releases: readonly string[]): Distribution {
  const distribution = new Distribution(aMachine(t));
  for (const release of releases) distribution.package(release);
  return distribution;
}
