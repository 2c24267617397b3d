/** ESPs that the program itself made, for machines to boot. */
import assert from 'node:assert/strict';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { windowOf } from '../../src/disk/window.ts';
import { formatFat } from '../../src/fat/format.ts';
import { openRaw } from '../../src/process/raw-file.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { espalier } from '../lab/espalier.ts';
import { makeGptDisk } from '../lab/gpt-disk.ts';
import type { Keys } from '../lab/keys.ts';
import { findParts, type Parts, type SystemdVersion } from '../lab/parts.ts';
import type { DemoWorld } from '../lab/profiles.ts';
import { type Boot, bootImage, type SecureBoot } from '../lab/qemu.ts';
import { installCommand, missingTools, type Tool } from '../lab/tools.ts';

/** Returns why tests with real parts cannot run here, or false when they can. */
export function whatIsMissing(tools: readonly Tool[]): string | false {
  const missing = missingTools(tools);
  if (missing.length > 0) return `SKIPPED, missing tools: ${installCommand(missing)}`;
  return findParts() === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts';
}

/** Returns the parts. @throws {Error} when they are not there, which `whatIsMissing` tells beforehand */
export function theParts(): Parts {
  const parts = findParts();
  assert.ok(parts !== undefined, 'run node test/lab/fetch.ts');
  return parts;
}

/** Returns a function that makes something on its first call: a skipped test makes nothing. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

export interface InstallOptions {
  /** A directory; with `isImage` a disk image, in which the ESP is found. */
  readonly esp: string;
  readonly isImage?: boolean;
  /** Directories that are the XBOOTLDR partition, or were. */
  readonly xbootldr?: string;
  readonly formerXbootldr?: string;
  readonly world: DemoWorld;
  readonly format?: 'uki' | 'shared' | 'type1' | 'thin';
  readonly systemd?: SystemdVersion;
  /** The stub of images; by default that of systemd. */
  readonly stub?: string;
  readonly keys?: Keys;
  /** Whether kernels of Type #1 entries are signed too. */
  readonly signKernels?: boolean;
  /** The settings of loader.conf; by default none but a menu that does not wait. */
  readonly loaderConf?: string;
  /** The key that signs policies for PCR 11. */
  readonly policyKey?: string;
  /** Where records for systemd-pcrlock go. */
  readonly pcrlock?: string;
  /** How often a new entry is tried. */
  readonly bootCounting?: number;
  /** The text of a configuration file. */
  readonly config?: string;
  /** The number of the generation to boot next; by default the profile's current one. */
  readonly generation?: number;
  /** A directory of EFI variables, as firmware would tell them. */
  readonly variables?: string;
}

/** The world has one generation that cannot be read, so a good run ends with a warning. */
export const doneWithWarnings = 5;

/** Writes loader settings beside the world's profiles and returns their path. */
export function placeSettings(world: DemoWorld, text = 'timeout 0\n'): string {
  const path = join(world.root, 'loader.conf');
  writeFileSync(path, text);
  return path;
}

/** Writes a configuration beside the world's profiles and returns its path. */
function placeConfig(world: DemoWorld, text: string): string {
  const path = join(world.root, 'espalier.toml');
  writeFileSync(path, text);
  return path;
}

/** Installs the world onto a directory. */
export function install(options: InstallOptions): void {
  const { esp, world, format = 'uki', systemd = '257', keys, generation } = options;
  const settings = placeSettings(world, options.loaderConf);
  const parts = theParts();
  if (!options.isImage) mkdirSync(esp, { recursive: true });
  const target = world.generations.find(({ number }) => number === generation)?.toplevel;
  const args = [
    'install',
    ...['--esp', esp, ...(options.isImage ? [] : ['--allow-directory'])],
    ...['--profiles', world.profiles, '--format', format],
    ...['--systemd', parts.systemdRoot[systemd], '--stub', options.stub ?? parts.stub[systemd]],
    ...['--cache-dir', `${world.root}/cache`, '--loader-conf', settings],
    ...(keys === undefined
      ? ['--allow-unsigned']
      : ['--certificate', keys.certificate, '--private-key', keys.privateKey]),
    ...(options.signKernels ? ['--sign-kernels'] : []),
    ...(options.policyKey === undefined
      ? []
      : ['--pcr-private-key', options.policyKey, '--allow-insecure-key']),
    ...(options.pcrlock === undefined ? [] : ['--pcrlock-directory', options.pcrlock]),
    ...(options.xbootldr === undefined ? [] : ['--xbootldr', options.xbootldr]),
    ...(options.formerXbootldr === undefined ? [] : ['--former-xbootldr', options.formerXbootldr]),
    ...['--boot-counting', `${options.bootCounting ?? 0}`],
    ...(options.config === undefined ? [] : ['--config', placeConfig(world, options.config)]),
    ...(target === undefined ? [] : [target]),
  ];
  const { variables } = options;
  const env = variables === undefined ? {} : { ESPALIER_EFIVARS: variables };
  const { status, stderr } = espalier(args, { env });
  assert.equal(status, doneWithWarnings, stderr);
}

/** Boots what lies in a directory, on a machine of its own. */
export function bootDirectory(
  esp: string,
  secureBoot: SecureBoot = { kind: 'off' },
  { tpm = false }: { readonly tpm?: boolean } = {},
): Promise<Boot> {
  const image = `${esp}.img`;
  makeEspImage(image, esp);
  return bootImage({ parts: theParts(), image, secureBoot, tpm });
}

/**
 * Makes a disk with an empty ESP of ours, found by its type behind another partition. Returns where that
 * begins, in bytes.
 */
export function makeDisk(disk: string, size: number): number {
  const content = `${disk}.content`;
  writeFileSync(content, '');
  truncateSync(content, size);
  const [, offset = 0] = makeGptDisk(disk, [
    { type: 'usr', content: join(import.meta.dirname, 'installed.ts') },
    { type: 'esp', content },
  ]);
  using file = openRaw(disk, 'write');
  formatFat({
    ...{ region: windowOf(file, offset, size), label: 'ESP', volumeId: 0x1234_abcd },
    ...{ hidden: offset / 512, epoch: 0 },
  });
  return offset;
}

/** Asserts that a boot came up with the generation of that number. */
export function assertBooted(boot: Boot, generation: string): void {
  const tail = boot.console.slice(-2000);
  assert.equal(boot.proof?.generation, generation, `${boot.ended}; the console ends:\n${tail}`);
}
