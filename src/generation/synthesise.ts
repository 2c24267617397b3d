/** How a toplevel that has no `boot.json` is described by its other files. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { BOOTSPEC, type Bootspec, SPECIALISATIONS, toBootspec } from './bootspec.ts';

/** The largest of the small text files in a toplevel, in bytes. */
const TEXT_LIMIT = 64 * 1024;

/**
 * Describes a toplevel without `boot.json`, with its specialisations one level deep
 * (RFC 0125 §Proposed Solution). The result obeys the same rules as a document that was read.
 * @throws {GENERATION_BROKEN} when a file that booting needs is missing
 * @throws {BOOTSPEC_MALFORMED} when a file says what no bootspec may say
 */
export function synthesise(disk: Disk, toplevel: string): Bootspec {
  const folder = `${toplevel}/specialisation`;
  const specialisations = (disk.list(folder) ?? []).map(({ name }) => {
    const child = requirePath(disk, `${folder}/${name}`);
    return [name, { [BOOTSPEC]: describe(disk, child) }] as const;
  });
  const document = {
    [BOOTSPEC]: describe(disk, toplevel),
    [SPECIALISATIONS]: Object.fromEntries(specialisations),
  };
  return toBootspec(document, `${toplevel} (without boot.json)`);
}

function describe(disk: Disk, toplevel: string): Record<string, unknown> {
  const kernel = requirePath(disk, `${toplevel}/kernel`);
  const version = findVersion(disk, toplevel, kernel);
  const release = readText(disk, `${toplevel}/nixos-version`);
  return {
    system: requireText(disk, `${toplevel}/system`),
    init: `${toplevel}/init`,
    kernel,
    kernelParams: splitParams(requireText(disk, `${toplevel}/kernel-params`)),
    label: ['NixOS', release, version && `(Linux ${version})`].filter(Boolean).join(' '),
    toplevel,
    initrd: findPath(disk, `${toplevel}/initrd`),
    initrdSecrets: findPath(disk, `${toplevel}/append-initrd-secrets`),
  };
}

/**
 * Returns the kernel version, which only the label needs: of the directories in `lib/modules` the
 * one that the kernel's store directory is named after, for the order of a directory says nothing
 * and out-of-tree modules may have left others. Else the highest, counting digits as numbers.
 */
function findVersion(disk: Disk, toplevel: string, kernel: string): string | undefined {
  const versions = (disk.list(`${toplevel}/kernel-modules/lib/modules`) ?? [])
    .filter(({ kind }) => kind !== 'file')
    .map(({ name }) => name)
    .sort((a, b) => (padded(a) < padded(b) ? 1 : -1));
  const directory = kernel.split('/').at(-2) ?? '';
  return versions.find((version) => directory.endsWith(`-${version}`)) ?? versions[0];
}

/** Digits as a number of fixed width, so that plain text order is the order of versions. */
function padded(version: string): string {
  return version.replace(/\d+/g, (digits) => digits.padStart(12, '0'));
}

/** Splits at blanks outside double quotes, as the kernel does. */
function splitParams(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** A name that is there and leads nowhere is damage: a system is not booted without its initrd. */
function findPath(disk: Disk, path: string): string | undefined {
  return disk.linkStat(path) === undefined ? undefined : requirePath(disk, path);
}

function requirePath(disk: Disk, path: string): string {
  const target = disk.realPath(path);
  if (target !== undefined) return target;
  throw new EspError('GENERATION_BROKEN', `${path}: expected a file or directory, got nothing`, {
    hint: 'the toplevel has no boot.json either: delete this generation, or repair the Nix store',
  });
}

function requireText(disk: Disk, path: string): string {
  return new TextDecoder().decode(disk.read(requirePath(disk, path), TEXT_LIMIT)).trim();
}

function readText(disk: Disk, path: string): string | undefined {
  return disk.stat(path) === undefined ? undefined : requireText(disk, path);
}
