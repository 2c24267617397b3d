/** Section tables that firmware and stub read in another way than their maker meant: what is wrong with one. */
import { EspError } from '../error.ts';
import { hex } from './header.ts';
import { type Pe, SECTION_HEADER_SIZE, type Section } from './pe.ts';

/** Where an address that was meant to be negative ends up, and nothing else does: images stay below 2 GiB. */
const BELOW_BASE = 0x8000_0000;

/**
 * Returns what is wrong with the addresses of the sections of an image, in the order of its section
 * table: firmware loads each section to its address, so of two that overlap the later one overwrites the
 * other, and what lies outside of the image is not loaded at all (PE/COFF §Section Table).
 */
export function sectionFindings(pe: Pe): readonly string[] {
  const placed = pe.sections.filter((section) => sizeOf(section) > 0);
  return [
    ...placed.flatMap((section) => outsideOf(pe, section)),
    ...placed.flatMap((section, index) =>
      placed.slice(0, index).flatMap((other) => overlapOf(other, section)),
    ),
  ].slice(0, MAX_FINDINGS);
}

/** A hostile table of sections overlaps in more ways than anybody reads. */
const MAX_FINDINGS = 32;

/** What firmware gives a section in memory. Bytes. */
function sizeOf({ virtualSize, sizeOfRawData }: Section): number {
  return virtualSize === 0 ? sizeOfRawData : virtualSize;
}

function outsideOf(pe: Pe, section: Section): readonly string[] {
  const { virtualAddress: start } = section;
  const end = start + sizeOf(section);
  const name = nameOf(section);
  if (start >= BELOW_BASE) {
    return [`section ${name} lies ${2 ** 32 - start} bytes below the image base`];
  }
  // The headers are loaded as far as the section table goes; some makers count padding to them.
  const headers = Math.min(
    pe.sizeOfHeaders,
    pe.sectionTableOffset + pe.sections.length * SECTION_HEADER_SIZE,
  );
  if (start < headers) return [`section ${name} at ${hex(start)} lies in the headers`];
  return end > pe.sizeOfImage
    ? [
        `section ${name} ends at ${hex(end)}, beyond the image, which ends at ${hex(pe.sizeOfImage)}`,
      ]
    : [];
}

function overlapOf(one: Section, other: Section): readonly string[] {
  const [from, to] = [one, other].map(({ virtualAddress }) => virtualAddress) as [number, number];
  const isApart = from + sizeOf(one) <= to || to + sizeOf(other) <= from;
  if (isApart) return [];
  return [
    `section ${nameOf(other)} at ${hex(to)} overlaps section ${nameOf(one)} at ${hex(from)}, of ${sizeOf(one)} bytes`,
  ];
}

function nameOf({ name }: Section): string {
  return JSON.stringify(name);
}

/**
 * Refuses an image whose sections lie over each other or outside of it.
 * @param name what messages call the image
 * @throws {PE_MALFORMED} naming the first such section
 */
export function requireSoundSections(pe: Pe, name: string): void {
  const [first] = sectionFindings(pe);
  if (first === undefined) return;
  throw new EspError('PE_MALFORMED', `${name}: ${first}: expected sections apart in the image`, {
    hint: 'build the image anew, with espalier uki build or ukify; objcopy has to be given addresses that do not overlap',
  });
}
