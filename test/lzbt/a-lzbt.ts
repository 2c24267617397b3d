/** `lzbt-systemd` on a machine of a test's own. */
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { exitStatus, run } from '../../src/command/lzbt.ts';
import { processContext } from '../../src/command/process-context.ts';
import { EspError } from '../../src/error.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { aMachine, MAIN, type Machine, type Ran } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';

/** Stands in for the stub of lanzaboote: what it does when it starts is of no concern here. */
const STUB = aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] });

/** What the module of lanzaboote makes of its default settings. */
export const LOADER_CONF = 'console-mode keep\ndefault nixos-*\neditor true\ntimeout 5\n';

/** A machine on which lanzaboote is set up. */
export interface LzbtMachine {
  readonly machine: Machine;
  /** The variables of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The options that lanzaboote's module gives to `install`. */
  readonly options: readonly string[];
  /** The path of every generation's link. */
  readonly links: () => readonly string[];
  /** Runs it with these arguments and no others. */
  readonly run: (...args: readonly string[]) => Promise<Omit<Ran, 'meant'>>;
  /** What the kernel tells of mounts, where that is not to be the truth. */
  mounts?: string;
  /** Installs all generations, or as many as the limit says, as the module's hook does. */
  readonly install: (limit?: number, ...more: readonly string[]) => Promise<Omit<Ran, 'meant'>>;
}

/** Returns a machine with these generations, a stub, loader settings and keys. */
export function anLzbtMachine(
  t: TestContext,
  generations: readonly GenerationShape[] = [{}],
): LzbtMachine {
  const machine = aMachine(t, { generations });
  const file = (name: string) => join(machine.root, name);
  writeFileSync(file('loader.conf'), LOADER_CONF);
  writeFileSync(file('stub.efi'), STUB);
  const environment = {
    ...machine.environment(),
    LANZABOOTE_STUB: file('stub.efi'),
    ESPALIER_CACHE_DIR: file('cache'),
    ESPALIER_BOOTED: file('booted'),
  };
  const options = [
    ...['--system', 'x86_64-linux', '--systemd', machine.systemd],
    ...['--systemd-boot-loader-config', file('loader.conf'), '--allow-unsigned', 'false'],
    ...[`--public-key=${certificatePath}`, `--private-key=${privateKeyPath}`],
  ];
  const links = () =>
    readdirSync(machine.profiles)
      .filter((name) => /^system-\d+-link$/.test(name))
      .map((name) => join(machine.profiles, name));
  const runAlone = (...args: readonly string[]) => runLzbt(args, lzbt);
  const install = (limit = 0, ...more: readonly string[]) =>
    runAlone(
      ...['-q', 'install', ...options, '--configuration-limit', String(limit)],
      ...[...more, machine.esp, ...links()],
    );
  const lzbt: LzbtMachine = { machine, environment, options, links, run: runAlone, install };
  return lzbt;
}

async function runLzbt(
  args: readonly string[],
  { environment, mounts }: Pick<LzbtMachine, 'environment' | 'mounts'>,
): Promise<Omit<Ran, 'meant'>> {
  const lines: string[] = [];
  const real = processContext(pathToFileURL(MAIN));
  const read = (path: string, limit: number) =>
    path === '/proc/self/mountinfo' && mounts !== undefined
      ? new TextEncoder().encode(mounts)
      : real.disk.read(path, limit);
  const context = {
    ...real,
    disk: { ...real.disk, read },
    environment,
    // Not the superuser: locks then lie in a directory of this test's own.
    uid: real.uid || 1,
    print: (text: Text) => void lines.push(plain(text)),
  };
  try {
    return { status: await run(args, '', context), output: lines.join('\n') };
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { status: exitStatus(error), output: lines.join('\n'), error };
  }
}

/** Makes every file on the ESP one of long ago, so that one that is written again is told by its time. */
export function age(machine: Machine): void {
  for (const path of machine.paths(/./)) utimesSync(join(machine.esp, path), 1, 1);
}
