/** Returns which sections of an image systemd-stub measures into PCR 11, and in which order. */
import { type ByteSource, readRange } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { contentRange, type Pe, type Section } from '../pe/pe.ts';
import { counted, exactSize } from '../quantity.ts';
import { findKnown, sectionTable, splitProfiles } from '../uki/section.ts';

/** In bytes. A section has zeros in memory behind its data; no sound image needs more of them. */
const MAX_ZEROS = 16 * 1024 * 1024;

/**
 * Returns the sections that systemd-stub measures when a profile boots, in its order (UKI
 * §Multi-Profile UKIs; `uki.h` of systemd 262). The profile's own sections precede those of the
 * base. Of sections with one name the first counts; an empty one hides that of the base. A section
 * that reaches beyond the image counts as absent.
 * @throws {CONFIG_INVALID} when there is no such profile, or when the measurement depends on
 * hardware
 */
export function measuredSections(pe: Pe, profile = 0): readonly Section[] {
  const [base = [], ...profiles] = splitProfiles(pe.sections);
  const chosen = profiles[profile] ?? [];
  if (profile >= Math.max(1, profiles.length)) {
    throw new EspError(
      'CONFIG_INVALID',
      `profile ${profile}: the image has ${counted(Math.max(1, profiles.length), 'profile')}, counted from 0`,
    );
  }
  const present = [...chosen, ...base].filter(
    ({ virtualSize, virtualAddress }) => virtualAddress + virtualSize <= pe.sizeOfImage,
  );
  const uncertain = present.find(
    ({ name, virtualSize }) => virtualSize > 0 && findKnown(name)?.repeatable,
  );
  if (uncertain) {
    throw new EspError(
      'CONFIG_INVALID',
      `section ${uncertain.name}: which one is measured depends on the hardware, and cannot be told here`,
    );
  }
  return sectionTable.flatMap(({ name, measured }) => {
    const found = measured && present.find((section) => section.name === name);
    return found && found.virtualSize > 0 ? [found] : [];
  });
}

/**
 * Yields the content of a section as it lies in memory: its data, then zeros up to VirtualSize.
 * @throws {PE_MALFORMED} when there are more zeros than a sound image has
 */
export function* memoryOf(source: ByteSource, section: Section): Generator<Uint8Array> {
  const range = contentRange(section);
  const zeros = section.virtualSize - range.size;
  if (zeros > MAX_ZEROS) {
    throw new EspError(
      'PE_MALFORMED',
      `section ${section.name}: expected at most ${exactSize(MAX_ZEROS)} of zeros behind its data, got ${exactSize(zeros)}`,
    );
  }
  yield* readRange(source, range);
  if (zeros > 0) yield new Uint8Array(zeros);
}
