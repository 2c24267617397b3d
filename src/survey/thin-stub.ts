/** The stub of thin images: nobody but lanzaboote has one, so it has to be named. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import type { Settings } from '../settings/settings.ts';

/**
 * Returns the stub of the settings.
 * @throws {CONFIG_INVALID} when none is named
 */
export function thinStub({ stub }: Settings): string {
  if (stub !== undefined) return stub;
  throw new EspError('CONFIG_INVALID', '--format thin: there is no stub', {
    hint: 'name the stub of lanzaboote with --stub',
  });
}

/** The section in which programs of systemd say what they are, and the most that is read of it, in bytes. */
const MAGIC = { name: '.sdmagic', limit: 4096 };

/**
 * Warns of systemd's own stub: it would take the path in `.linux` for a kernel, and no image with it
 * would start.
 */
export function thinStubWarnings(settings: Settings, { disk }: Context): readonly string[] {
  const stub = thinStub(settings);
  using source = disk.open(stub);
  const section = findSection(parsePe(source, stub), MAGIC.name);
  if (!section || section.virtualSize > MAGIC.limit) return [];
  const text = new TextDecoder().decode(readSection(source, section, MAGIC.limit));
  if (!text.includes('systemd-stub')) return [];
  return [`${stub} is systemd's stub, which does not know thin images: none of them would start`];
}
