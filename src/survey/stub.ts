/** Finds the stub for images, and checks that it starts them. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import type { PlainFormat, StubFormat } from '../plan/format/format.ts';
import { formatOf } from '../plan/formats.ts';
import type { Settings } from '../settings/settings.ts';

/** The format of the settings, and its stub if it makes images. */
export type ChosenFormat =
  | { readonly format: PlainFormat; readonly stub?: undefined }
  | { readonly format: StubFormat; readonly stub: string };

/**
 * Returns the format with its stub: the one in the settings, else systemd's `own`, unless the
 * format needs another.
 * @throws {CONFIG_INVALID} when the settings name none and systemd's own cannot be used
 */
export function chooseFormat({ format: name, stub }: Settings, own: string): ChosenFormat {
  const format = formatOf(name);
  if (format.stub === undefined) return { format };
  if (stub !== undefined) return { format, stub };
  const { mustBeNamed } = format.stub;
  if (mustBeNamed === undefined) return { format, stub: own };
  throw new EspError('CONFIG_INVALID', `--format ${name}: there is no stub`, mustBeNamed);
}

/** In bytes. The most that is read of a section that describes a program. */
const LIMIT = 4096;

/** Warns of a stub that would start no image of the format. */
export function stubWarnings({ format, stub }: ChosenFormat, { disk }: Context): readonly string[] {
  const unfit = format.stub?.unfit;
  if (stub === undefined || unfit === undefined) return [];
  using source = disk.open(stub);
  const section = findSection(parsePe(source, stub), unfit.section);
  if (!section || section.virtualSize > LIMIT) return [];
  const text = new TextDecoder().decode(readSection(source, section, LIMIT));
  return text.includes(unfit.text) ? [`${stub} ${unfit.because}`] : [];
}
