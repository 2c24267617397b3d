/** Describes a toplevel without `boot.json` by its other files. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { BOOTSPEC, type Bootspec, SPECIALISATIONS, toBootspec } from './bootspec.ts';

/** In bytes. The small text files in a toplevel are no larger. */
const TEXT_LIMIT = 64 * 1024;

/**
 * Describes a toplevel without `boot.json`, with its specialisations one level deep
 * (RFC 0125 §Proposed Solution). The result obeys the same rules as a parsed document.
 * @throws {GENERATION_BROKEN} when a file that booting needs is missing
 * @throws {BOOTSPEC_MALFORMED} when a file holds what no bootspec may hold
 */
export function synthesise(disk: Disk, toplevel: string): Bootspec {
  const folder = `${toplevel}/specialisation`;
  const specialisations = (disk.list(folder) ?? []).map(({ name }) => {
    const child = requirePath(disk, `${folder}/${name}`);
    return [name, { [BOOTSPEC]: describeToplevel(disk, child) }] as const;
  });
  const document = {
    [BOOTSPEC]: describeToplevel(disk, toplevel),
    [SPECIALISATIONS]: Object.fromEntries(specialisations),
  };
  return toBootspec(document, `${toplevel} (without boot.json)`);
}

function describeToplevel(disk: Disk, toplevel: string): Record<string, unknown> {
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
 * Returns the kernel version, for the label alone. It is the directory in `lib/modules` after which
 * the kernel's store directory is named: modules built separately may have left other directories,
 * and their order means nothing. Without a match it is the highest one, with digits counted as
 * numbers.
 */
function findVersion(disk: Disk, toplevel: string, kernel: string): string | undefined {
  const versions = (disk.list(`${toplevel}/kernel-modules/lib/modules`) ?? [])
    .filter(({ kind }) => kind !== 'file')
    .map(({ name }) => name)
    .sort((a, b) => (padded(a) < padded(b) ? 1 : -1));
  const directory = kernel.split('/').at(-2) ?? '';
  return versions.find((version) => directory.endsWith(`-${version}`)) ?? versions[0];
}

/** Pads numbers to a fixed width, so that the order of texts is the order of versions. */
function padded(version: string): string {
  return version.replace(/\d+/g, (digits) => digits.padStart(12, '0'));
}

/** Splits at blanks outside double quotes, as the kernel does. */
export function splitParams(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** A link that leads nowhere is damage: no system may boot without its initrd. */
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
