/** An image as `ukify inspect --json` shows it. */
import type { ByteSource } from '../byte-source.ts';
import type { Digest } from '../digest.ts';
import { contentRange, parsePe, readRange, readSection, type Section } from '../pe/pe.ts';
import { findKnown, isSectionName, splitProfiles } from './section.ts';

/** One section: bytes, digest, and its text where it has one. */
export interface SectionReport {
  readonly size: number;
  readonly sha256: Digest;
  readonly text?: string;
}

/** Sections by name; a list for those that may occur more than once. */
export interface ProfileReport {
  readonly [section: `.${string}`]: SectionReport | readonly SectionReport[];
}

/** The base's sections, and the profiles behind it, if it has any. */
export interface UkiReport extends ProfileReport {
  readonly _profiles?: readonly ProfileReport[];
}

/** Returns the SHA-256 of bytes that come in pieces. */
export type HashChunks = (chunks: Iterable<Uint8Array>) => Digest;

/** Text that is longer than this is told by its digest alone. */
const MAX_TEXT = 1024 * 1024;
/** Shown by ukify although systemd-stub does not know it. */
const SOFTWARE_BILL = '.sbom';

/**
 * Returns what an image carries, in the shape of `ukify inspect --json` (systemd 262), section by
 * section and without holding one in memory.
 * @throws {PE_MALFORMED} when the image is not whole
 */
export function inspectUki(source: ByteSource, hashChunks: HashChunks, name?: string): UkiReport {
  const sections = parsePe(source, name).sections.filter((section) => isShown(section.name));
  const [base, ...profiles] = splitProfiles(sections).map((profile) =>
    reportProfile(
      profile.map((section) => [section.name, reportSection(source, section, hashChunks)]),
    ),
  );
  return profiles.length > 0 ? { ...base, _profiles: profiles } : { ...base };
}

function isShown(name: string): boolean {
  return isSectionName(name) || name === SOFTWARE_BILL;
}

function reportProfile(sections: readonly (readonly [string, SectionReport])[]): ProfileReport {
  const profile: Record<string, SectionReport | SectionReport[]> = {};
  for (const [name, found] of Map.groupBy(sections, ([section]) => section)) {
    const [first, ...more] = found.map(([, report]) => report);
    const isList = more.length > 0 || findKnown(name)?.repeatable === true;
    if (first !== undefined) profile[name] = isList ? [first, ...more] : first;
  }
  return profile;
}

function reportSection(
  source: ByteSource,
  section: Section,
  hashChunks: HashChunks,
): SectionReport {
  const range = contentRange(section);
  const report = { size: range.size, sha256: hashChunks(readRange(source, range)) };
  const isText = findKnown(section.name)?.text === true && range.size <= MAX_TEXT;
  return isText ? { ...report, text: textOf(readSection(source, section, MAX_TEXT)) } : report;
}

/** Without the padding; a NUL inside is shown, as it hides what follows from some readers. */
function textOf(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.replace(/\0+$/, '').replaceAll('\0', '\\0');
  } catch {
    return '(not valid UTF-8)';
  }
}
