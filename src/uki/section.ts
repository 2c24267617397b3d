/**
 * The sections that systemd-stub knows: their purpose, whether it measures them, and their order.
 */
import { EspError } from '../error.ts';

interface Row {
  readonly name: string;
  /** Whether its name and content are extended into PCR 11. */
  readonly measured: boolean;
  /** Whether it is text. */
  readonly text: boolean;
  /** Whether it may occur more than once in one profile. */
  readonly repeatable: boolean;
  /** Whether it is derived from the payload. Then it is no part of the image's identity. */
  readonly derived: boolean;
}

const plain = { measured: true, text: false, repeatable: false, derived: false };
const text = { ...plain, text: true };

/** The order in which systemd-stub measures them (UKI §PE sections; `uki.h` of systemd 262). */
export const sectionTable = [
  { name: '.linux', ...plain },
  { name: '.osrel', ...text },
  { name: '.cmdline', ...text },
  { name: '.initrd', ...plain },
  { name: '.ucode', ...plain },
  { name: '.splash', ...plain },
  { name: '.dtb', ...plain },
  { name: '.uname', ...text },
  { name: '.sbat', ...text, derived: true },
  { name: '.pcrsig', ...text, measured: false, derived: true },
  { name: '.pcrpkey', ...text },
  { name: '.profile', ...text },
  { name: '.dtbauto', ...plain, repeatable: true },
  { name: '.hwids', ...plain },
  { name: '.efifw', ...plain, repeatable: true },
] as const satisfies readonly Row[];

/** The name of a section that systemd-stub knows. */
export type SectionName = (typeof sectionTable)[number]['name'];

/** The order in which ukify writes the sections of one profile. `.profile` opens a profile. */
const fileOrder: readonly SectionName[] = [
  '.profile',
  '.osrel',
  '.cmdline',
  '.dtb',
  '.dtbauto',
  '.hwids',
  '.uname',
  '.splash',
  '.pcrpkey',
  '.linux',
  '.initrd',
  '.efifw',
  '.ucode',
  '.sbat',
  '.pcrsig',
];

const rows: ReadonlyMap<string, Row> = new Map(sectionTable.map((row) => [row.name, row]));

/** Returns the row of a section, or undefined for a name that systemd-stub does not know. */
export function findKnown(name: string): Row | undefined {
  return rows.get(name);
}

/** Returns whether systemd-stub knows a section of this name. */
export function isSectionName(name: string): name is SectionName {
  return findKnown(name) !== undefined;
}

/**
 * Splits sections, in table order, where a profile begins (UKI §Multi-Profile UKIs). The first part
 * is the base and may be empty. Every other part starts with its `.profile`.
 */
export function splitProfiles<T extends { readonly name: string }>(sections: readonly T[]): T[][] {
  const base: T[] = [];
  const profiles = [base];
  for (const section of sections) {
    if (section.name === '.profile') profiles.push([]);
    profiles.at(-1)?.push(section);
  }
  return profiles;
}

/** Returns sections in the order in which systemd-stub measures them, profile by profile. */
export function inMeasurementOrder<T extends { readonly name: string }>(
  sections: readonly T[],
): T[] {
  return inOrder(sections, measured);
}

/** Returns sections in the order in which ukify writes them, profile by profile. */
export function inFileOrder<T extends { readonly name: string }>(sections: readonly T[]): T[] {
  return inOrder(sections, written);
}

/** The places of names in an order. What opens a profile comes first, and what is unknown with it. */
function placesIn(order: readonly SectionName[]): ReadonlyMap<string, number> {
  return new Map(order.map((name, at) => [name, name === '.profile' ? -1 : at]));
}

const measured = placesIn(sectionTable.map(({ name }) => name));
const written = placesIn(fileOrder);

function inOrder<T extends { readonly name: string }>(
  sections: readonly T[],
  places: ReadonlyMap<string, number>,
): T[] {
  const place = ({ name }: T) => places.get(name) ?? -1;
  return splitProfiles(sections).flatMap((profile) =>
    profile.toSorted((a, b) => place(a) - place(b)),
  );
}

/**
 * Refuses sections that systemd-stub would ignore: unknown names, and a name that occurs twice.
 * @throws {CONFIG_INVALID} naming the section
 */
export function requireKnown(sections: readonly { readonly name: string }[]): void {
  const unknown = sections.find(({ name }) => findKnown(name) === undefined);
  if (unknown !== undefined) {
    throw new EspError(
      'CONFIG_INVALID',
      `section ${unknown.name}: systemd-stub knows none of this name`,
    );
  }
  requireDistinct(sections);
}

/**
 * Refuses a section that occurs twice in one profile, unless it may repeat.
 * @throws {CONFIG_INVALID} naming the section
 */
export function requireDistinct(sections: readonly { readonly name: string }[]): void {
  for (const profile of splitProfiles(sections)) {
    const seen = new Set<string>();
    for (const { name } of profile) {
      if (seen.has(name) && findKnown(name)?.repeatable !== true)
        throw new EspError('CONFIG_INVALID', `section ${name}: expected one per profile, got two`);
      seen.add(name);
    }
  }
}
