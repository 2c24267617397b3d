/** Reads what images have besides a generation: the stub, and sections from the configuration. */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Architecture } from '../loader/architecture.ts';
import { roomForSections } from '../pe/append-sections.ts';
import { parsePe } from '../pe/pe.ts';
import { startFault } from '../pe/program.ts';
import { textSection } from '../plan/section.ts';
import type { SectionContent } from '../plan/step.ts';
import type { ImageSettings } from '../plan/wanted.ts';
import { isPrivateKey, TELLING } from '../secureboot/private-key.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import type { PolicyMaker } from './policies.ts';

/** In bytes. Files for sections are small: a picture, microcode, text. */
const SECTION_LIMIT = 64 * 1024 * 1024;

/** The configured sections that are text. They are kept in memory. */
const TEXT_SECTIONS = new Set(['sbat', 'profile']);

/** What decides over images besides the stub. */
interface ImagePolicy {
  readonly settings: Settings;
  /** Makes policies for PCR 11; undefined where nobody signs any. */
  readonly policies: PolicyMaker | undefined;
  readonly signer: Signer;
  readonly architecture: Architecture;
}

/**
 * Reads the parts of images.
 * @throws {CONFIG_INVALID} when there is no file at the stub's path
 */
export function imageSettings(
  stub: string,
  { settings, signer, architecture, policies }: ImagePolicy,
  { disk }: Context,
): ImageSettings {
  const extra = Object.entries(settings.sections).flatMap(([name, path]): SectionContent[] => {
    if (path === undefined) return [];
    const bytes = disk.read(path, SECTION_LIMIT);
    if (isPrivateKey(bytes.subarray(0, TELLING))) throw secretSection(name, path);
    if (TEXT_SECTIONS.has(name)) return [textSection(`.${name}`, new TextDecoder().decode(bytes))];
    const content = { kind: 'file', path } as const;
    return [{ name: `.${name}`, digest: hash(bytes), size: bytes.length, content }];
  });
  const stubSize = disk.stat(stub)?.size;
  if (stubSize === undefined) {
    throw new EspError('CONFIG_INVALID', `${stub}: there is no stub`, {
      hint: 'install systemd-boot (on Debian its package is systemd-boot-efi), name its directory with --systemd or the stub with --stub, or use --format type1',
    });
  }
  const room = roomIn(stub, architecture, disk);
  const all = policies ? [...extra, policies.section] : extra;
  return { stub, stubSize, fingerprint: signer.fingerprint, room, extra: all };
}

function secretSection(name: string, path: string): EspError {
  const message = `sections.${name}: ${path} is a private key, which everyone could read in the images`;
  return new EspError('CONFIG_INVALID', message, {
    hint: 'name the file that was meant; if an image with this key was installed, make a new key',
  });
}

/**
 * Returns how many sections a stub can get.
 * @throws {CONFIG_INVALID} when firmware would start no image of it
 */
function roomIn(stub: string, { machine, efi }: Architecture, disk: Disk): number {
  using source = disk.open(stub);
  const pe = parsePe(source, stub);
  const fault = startFault(pe, machine);
  if (fault === undefined) return roomForSections(pe);
  throw new EspError('CONFIG_INVALID', `${stub}: expected a stub for ${efi}: ${fault}`, {
    hint: 'name the stub for this processor with --stub, or its systemd with --systemd',
  });
}
