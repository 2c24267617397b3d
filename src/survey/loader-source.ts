/** Reads the boot loader that we bring, and the file with its settings. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { readLoaderConf } from '../esp/loader-conf-file.ts';
import type { Architecture } from '../loader/architecture.ts';
import { isKnownKey, KNOWN_KEYS, parseLoaderConf } from '../loader/loader-conf.ts';
import { valueFault } from '../loader/loader-values.ts';
import { type LoaderIdentity, loaderIdentity } from '../loader/systemd-boot.ts';
import { sizeOfSigned } from '../pe/certificate-table.ts';
import type { LoaderSource } from '../plan/wanted-system.ts';
import { nearest } from '../settings/nearest.ts';
import type { Settings } from '../settings/settings.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';

const HINT =
  'install systemd-boot (the package systemd-boot-efi of Debian, systemd-boot-unsigned of Fedora), or name the directory that holds lib/systemd/boot/efi with --systemd';

/**
 * Reads the version and processor of a loader.
 * @param path the loader in the systemd that is used
 * @throws {CONFIG_INVALID} when it is no loader for this processor
 */
export function readLoader(
  path: string,
  { machine }: Architecture,
  signer: Signer,
  disk: Disk,
): LoaderSource {
  if (!disk.stat(path)) {
    throw new EspError('CONFIG_INVALID', `${path}: there is no systemd-boot`, { hint: HINT });
  }
  using file = disk.open(path);
  const identity = loaderIdentity(file);
  if (identity.kind === 'systemd-boot' && identity.machine === machine) {
    const size = isUnsigned(signer) ? file.size : sizeOfSigned(file, path, signer.signatureSize);
    return { path, version: identity.version, machine, size };
  }
  throw new EspError(
    'CONFIG_INVALID',
    `${path}: expected systemd-boot, got ${wordsFor(identity)}`,
    {
      hint: HINT,
    },
  );
}

function wordsFor(identity: LoaderIdentity): string {
  if (identity.kind === 'malformed') return `a damaged program: ${identity.because}`;
  return identity.kind === 'foreign' ? 'another program' : 'one for another processor';
}

/**
 * Returns the text of the file that the settings name for loader.conf.
 * @throws {CONFIG_INVALID} when a line has a key or a value that systemd-boot would pass over
 */
export function loaderConfGiven({ 'loader-conf': file }: Settings, disk: Disk): string | undefined {
  if (file === undefined) return undefined;
  const text = readLoaderConf(file, disk);
  const lines = parseLoaderConf(text);
  requireValues(file, text, lines);
  const wrong = lines.find(([key]) => !isKnownKey(key))?.[0];
  if (wrong === undefined) return text;
  const meant = nearest(wrong, KNOWN_KEYS);
  throw new EspError(
    'CONFIG_INVALID',
    `${file}: ${JSON.stringify(wrong.slice(0, 64))} is no setting of loader.conf`,
    { hint: meant === undefined ? `it knows ${KNOWN_KEYS.join(', ')}` : `did you mean ${meant}?` },
  );
}

/** What the loader passes over is missing without a word, as the menu is without its timeout. */
function requireValues(
  file: string,
  text: string,
  lines: readonly (readonly [string, string])[],
): void {
  const bare = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => /^[^#\s]\S*$/.test(line));
  if (bare !== undefined) throw wrongValue(file, bare.slice(0, 64), 'expected a value behind it');
  for (const [key, value] of lines) {
    const fault = valueFault(key, value);
    if (fault !== undefined) throw wrongValue(file, key, fault, JSON.stringify(value.slice(0, 64)));
  }
}

function wrongValue(file: string, key: string, fault: string, got = 'nothing'): EspError {
  const message = `${file}: ${key}: ${fault}, got ${got}`;
  return new EspError('CONFIG_INVALID', message, {
    hint: 'correct it: systemd-boot passes over what it cannot read',
  });
}
